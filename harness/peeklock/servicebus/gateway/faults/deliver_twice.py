"""A message that comes once more than it should: at-least-once delivery, made visible."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from .fault import CountedFault

if TYPE_CHECKING:
    from peeklock.servicebus.broker import Message, Queue


@dataclass(eq=False, kw_only=True)
class DeliverTwice(CountedFault):
    """The next `times` messages (or one message) are delivered once more, each once for each fault.

    `after` "completed": its receiver is told that it was completed, and it comes again at once, with the same sequence
    number and a delivery count one higher, as when the service loses a completion in a failover. `after` "delivered": its
    lock ends the moment it goes out, so that the next receiver has it, too, while the first one still works; whoever
    settles with the first lock is told that it is lost, as no two receivers ever hold one message (S-44).
    """

    kind: ClassVar[str] = "deliver_twice"
    summary: ClassVar[str] = (
        "a completed message comes once more at once, its delivery count one up; or, after `delivered`, its lock ends as it "
        "goes out, and the next receiver has it, too"
    )

    after: Literal["completed", "delivered"] = "completed"
    message_id: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._seen: set[tuple[str, int]] = set()

    def _is_meant(self, queue: Queue, message: Message) -> bool:
        key = (queue.name, message.sequence)
        if self.message_id not in (None, message.content.message_id) or key in self._seen:
            return False
        self._seen.add(key)
        return self.is_due(message.consumer or "")

    def swallows(self, queue: Queue, message: Message, settlement: str) -> bool:
        """Give it out again instead of completing it."""
        if self.after != "completed" or settlement != "complete" or not self._is_meant(queue, message):
            return False
        queue.settlement.redeliver(message.token)
        return True

    def delivered(self, queue: Queue, message: Message) -> bool:
        """End its lock behind its receiver's back."""
        if self.after != "delivered" or not self._is_meant(queue, message):
            return False
        queue.settlement.redeliver(message.token, serve=False)  # who delivers goes on to the next receiver
        return True
