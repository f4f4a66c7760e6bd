"""An operation that arrives and is kept: the moment between a client's effect and the broker's, as long as one likes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

from .fault import CountedFault


@dataclass(eq=False, kw_only=True)
class Hold(CountedFault):
    """The next `times` operations of one kind (with one message-id) arrive, and are neither done nor answered: over AMQP, in a
    transaction or not, over REST, and to `$management`.

    `operation` is a settlement (S-41), "send" (the message, which may be scheduled, is not taken), or "answer" (the message is
    taken, its sender not told; what was scheduled is answered). Of several messages at once the first one's id counts. When the fault is cleared, what it holds is done, if its client is still there, or with `then` "dropped" never, as
    with a request that a crash has overtaken. Locks run on meanwhile (S-44).
    """

    kind: ClassVar[str] = "hold"
    summary: ClassVar[str] = (
        "an operation arrives and is neither done nor answered; when the fault is cleared it is done, unless its client has "
        "gone, or dropped: a client killed meanwhile has done its work and not completed it"
    )

    operation: Literal["send", "answer", "complete", "abandon", "defer", "dead_letter", "release"] = "complete"
    message_id: str | None = None
    then: Literal["done", "dropped"] = "done"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._kept: list[Callable[[], None]] = []

    def holds(self, operation: str, message_id: str | None, principal: str, resume: Callable[[], None]) -> bool:
        """Keep it."""
        if operation != self.operation or self.message_id not in (None, message_id) or not self.is_due(principal):
            return False
        self._kept.append(resume)
        return True

    def release(self) -> list[Callable[[], None]]:
        """Return what is to be done of what was held, for the last time."""
        kept, self._kept = self._kept, []
        return kept if self.then == "done" else []
