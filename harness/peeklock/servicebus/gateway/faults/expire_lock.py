"""Locks that end before their time."""

# ruff: noqa: ARG002 -- all faults have one signature
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from .fault import Fault

if TYPE_CHECKING:
    from peeklock.servicebus.broker import Queue
    from peeklock.servicebus.gateway.context import NamespaceContext


@dataclass(eq=False, kw_only=True)
class ExpireLock(Fault):
    """The locks of an entity's messages, or of one message-id, end now, as if their time were over: the delivery counts as
    failed, and the messages are ready again (S-44, S-49). With sessions, the locks of their sessions end (S-61)."""

    kind: ClassVar[str] = "expire_lock"
    summary: ClassVar[str] = "locks end now, as if their time were over; with sessions, those of the sessions"
    at_once: ClassVar[bool] = True

    message_id: str | None = None

    def now(self, context: NamespaceContext, queues: list[Queue]) -> list[dict[str, Any]]:
        """End them."""
        return [
            {"queue": queue.name, "sequence": message.sequence, "message_id": message.content.message_id}
            for queue in queues
            for message in queue.settlement.expire_locks(self.message_id)
        ]
