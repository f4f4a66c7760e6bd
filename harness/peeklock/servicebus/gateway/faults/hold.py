"""An operation that arrives and is kept: the moment between a client's effect and the broker's, as long as one likes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from .drop_settlement import SETTLEMENTS
from .fault import CountedFault, one_of

OPERATIONS = ("send", "answer", *SETTLEMENTS)
ENDS = ("done", "dropped")


@dataclass(eq=False)
class Hold(CountedFault):
    """The next `times` operations of one kind (with one message-id) arrive, and are neither done nor answered: over AMQP, in a
    transaction or not, over REST, and to `$management`.

    `operation` is a settlement (S-41), "send" (the message, which may be scheduled, is not taken), or "answer" (the message is
    taken, its sender not told; what was scheduled is answered). Of several messages at once the first one's id counts. When the fault is cleared, what it holds is done, if its client is still there, or with `then` "dropped" never, as
    with a request that a crash has overtaken. Locks run on meanwhile (S-44).
    """

    kind: ClassVar[str] = "hold"

    operation: str = "complete"
    message_id: str | None = None
    then: str = "done"

    def __post_init__(self) -> None:
        self._kept: list[Callable[[], None]] = []

    def check(self) -> None:
        """Raise `TopologyError` for an operation that is none."""
        super().check()
        one_of(self.operation, OPERATIONS, "hold.operation")
        one_of(self.then, ENDS, "hold.then")

    def holds(self, operation: str, message_id: str | None, resume: Callable[[], None]) -> bool:
        """Keep it."""
        if operation != self.operation or self.message_id not in (None, message_id):
            return False
        self._kept.append(resume)
        return True

    def release(self) -> list[Callable[[], None]]:
        """Return what is to be done of what was held, for the last time."""
        kept, self._kept = self._kept, []
        return kept if self.then == "done" else []
