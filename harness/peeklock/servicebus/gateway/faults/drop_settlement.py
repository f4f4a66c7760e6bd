"""A settlement that arrives and is thrown away."""

# ruff: noqa: ARG002 -- all faults have one signature
from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from peeklock.servicebus.broker import Message, Queue

from .fault import CountedFault, one_of

SETTLEMENTS = ("complete", "abandon", "defer", "dead_letter", "release")


@dataclass(eq=False)
class DropSettlement(CountedFault):
    """The next `times` settlements (of one kind, of one message) are answered with success and not done: the message stays
    locked until its lock ends, then it comes again (S-46, S-49)."""

    kind: ClassVar[str] = "drop_settlement"

    settlement: str | None = None
    message_id: str | None = None

    def check(self) -> None:
        """Raise `TopologyError` for a settlement that is none."""
        super().check()
        if self.settlement is not None:
            one_of(self.settlement, SETTLEMENTS, "drop_settlement.settlement")

    def swallows(self, queue: Queue, message: Message, settlement: str) -> bool:
        """Forget it."""
        return self.settlement in (None, settlement) and self.message_id in (None, message.content.message_id)
