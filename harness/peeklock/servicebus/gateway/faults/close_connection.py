"""Connections that the service closes, or that break."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from .fault import Fault

if TYPE_CHECKING:
    from peeklock.servicebus.broker import Queue
    from peeklock.servicebus.gateway.context import NamespaceContext


@dataclass(eq=False, kw_only=True)
class CloseConnection(Fault):
    """The AMQP connections of an entity's clients, or all, are closed with `condition`; `abrupt` breaks them without a
    word, as a lost network does. Locks stay (S-46)."""

    kind: ClassVar[str] = "close_connection"
    summary: ClassVar[str] = "the connections of the entity's clients are closed now, or break without a word"
    at_once: ClassVar[bool] = True

    abrupt: bool = False
    condition: str = "amqp:connection:forced"
    description: str = "The connection is closed by a fault that a test asked for."

    def now(self, context: NamespaceContext, queues: list[Queue]) -> list[dict[str, Any]]:
        """Close them."""
        # here: the language of scenarios reads this class without an emulator (0.03 s)
        from peeklock.servicebus.amqp.errors import AmqpError

        struck = []
        for connection in list(context.connections.amqp):
            used = [handler for handler in connection.handlers.values() if handler.queue in queues]
            if self.entity is not None and not used:
                continue
            struck.append({"queue": self.entity or "", "container_id": connection.name, "abrupt": self.abrupt})
            if self.abrupt:
                connection.abort()
            else:
                connection.hang_up(AmqpError(self.condition, self.description))
        return struck
