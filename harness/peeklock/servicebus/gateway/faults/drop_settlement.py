"""A settlement that arrives and is thrown away."""

# ruff: noqa: ARG002 -- all faults have one signature
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from .fault import CountedFault

if TYPE_CHECKING:
    from peeklock.servicebus.broker import Message, Queue


@dataclass(eq=False, kw_only=True)
class DropSettlement(CountedFault):
    """The next `times` settlements (of one kind, of one message) are answered with success and not done: the message stays
    locked until its lock ends, then it comes again (S-46, S-49)."""

    kind: ClassVar[str] = "drop_settlement"
    summary: ClassVar[str] = (
        "a settlement is answered with success and not done: the message stays locked until its lock ends, and comes again"
    )

    settlement: Literal["complete", "abandon", "defer", "dead_letter", "release"] | None = None
    message_id: str | None = None

    def swallows(self, queue: Queue, message: Message, settlement: str) -> bool:
        """Forget it."""
        meant = self.settlement in (None, settlement) and self.message_id in (None, message.content.message_id)
        return meant and self.is_due(message.consumer or "")
