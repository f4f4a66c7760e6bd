"""Links that the service closes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from peeklock.servicebus.amqp.errors import AmqpError
from peeklock.servicebus.broker import Queue
from peeklock.servicebus.gateway.links import Inlet, Outlet
from peeklock.servicebus.gateway.tracking import tracked

from .fault import Fault, one_of

if TYPE_CHECKING:
    from peeklock.servicebus.gateway.server import Server

LINKS = ("all", "senders", "receivers")


@dataclass(eq=False)
class Detach(Fault):
    """Links to an entity (its `$management` links too, with "all") are detached with `condition`; clients make them anew.
    Locks stay (S-46)."""

    kind: ClassVar[str] = "detach"
    at_once: ClassVar[bool] = True

    condition: str = "amqp:link:detach-forced"
    description: str = "The link is force detached by a fault that a test asked for."
    links: str = "all"

    def check(self) -> None:
        """Raise `TopologyError` for links that are none."""
        one_of(self.links, LINKS, "detach.links")

    def now(self, server: Server, queues: list[Queue]) -> list[dict[str, Any]]:
        """Detach them."""
        struck = []
        for peer in list(server.peers):
            for handler in list(peer.handlers.values()):
                queue, link = getattr(handler, "queue", None), handler.link
                if queue not in queues or not self._is_meant(handler):
                    continue
                text = tracked(self.description, server.namespace.name, queue.name)
                peer.drop(link, AmqpError(self.condition, text))
                struck.append({"queue": queue.name, "link": link.name, "container_id": peer.name})
        return struck

    def _is_meant(self, handler: Any) -> bool:
        return self.links == "all" or isinstance(handler, Inlet if self.links == "senders" else Outlet)
