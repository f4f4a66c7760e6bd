"""Links that the service closes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from .fault import Fault

if TYPE_CHECKING:
    from peeklock.servicebus.broker import Queue
    from peeklock.servicebus.gateway.context import NamespaceContext


@dataclass(eq=False, kw_only=True)
class Detach(Fault):
    """Links to an entity (its `$management` links too, with "all") are detached with `condition`; clients make them anew.
    Locks stay (S-46)."""

    kind: ClassVar[str] = "detach"
    summary: ClassVar[str] = "links are detached now, with an error"
    at_once: ClassVar[bool] = True

    condition: str = "amqp:link:detach-forced"
    description: str = "The link is force detached by a fault that a test asked for."
    links: Literal["all", "senders", "receivers"] = "all"

    def now(self, context: NamespaceContext, queues: list[Queue]) -> list[dict[str, Any]]:
        """Detach them."""
        struck = []
        for connection, handler in context.connections.handlers():
            if handler.queue is None or handler.queue not in queues or self.links not in ("all", f"{handler.role}s"):
                continue
            context.detacher.detach(connection, handler, self.condition, self.description)
            found = {"queue": handler.queue.name, "link": handler.link.name, "container_id": connection.name}
            struck.append(found)
        return struck
