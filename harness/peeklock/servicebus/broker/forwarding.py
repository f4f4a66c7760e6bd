"""Auto-forwarding: what comes into one entity goes on to another (S-67, S-68)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .clock import Clock
from .errors import BrokerError, EntityDisabled, EntityNotFound, HeaderTooLarge, MessageTooLarge, QuotaExceeded
from .message import Message

if TYPE_CHECKING:
    from .queue import Queue

MAX_HOPS = 4


class _TooManyHops(BrokerError):
    def __init__(self, target: str) -> None:
        super().__init__(
            f"The message was not forwarded to '{target}': it has been forwarded {MAX_HOPS} times already."
        )


REASONS: dict[type[BrokerError], str] = {
    EntityDisabled: "MessagingEntityDisabledException",
    EntityNotFound: "MessagingEntityNotFoundException",
    HeaderTooLarge: "HeaderSizeExceeded",
    MessageTooLarge: "MessageSizeExceededException",
    QuotaExceeded: "QuotaExceededException",
    _TooManyHops: "MaxTransferHopCountExceeded",
}


def local_name(target: str) -> str:
    """Return the name of a forwarding target, which may be written as `sb://namespace/name` (S-68)."""
    if "://" in target:
        target = target.split("://", 1)[1].partition("/")[2]
    return target.strip("/")


class Forwarder:
    """Moves the messages of `source` to the entity named `target`, in order, as soon as they are active.

    What the target does not take goes to the dead-letter queue of the source; a dead-letter queue keeps it, and tries
    again when the next message comes.
    """

    def __init__(
        self,
        source: Queue,
        target: str,
        find: Callable[[str], Queue],
        clock: Clock,
        *,
        dead_letter_source: str | None = None,
    ) -> None:
        self.target = target
        self._source = source
        self._find = find
        self._now = clock.now
        self._dead_letter_source = dead_letter_source
        self._running = False

    def run(self) -> None:
        """Forward what is ready. A circle of forwards comes back here: the messages wait for the outer turn."""
        source = self._source
        if self._running or not source.receivable:
            return
        self._running = True
        kept = []
        try:
            while (message := source.take_next(self._now())) is not None:
                try:
                    self._forward(message)
                except BrokerError as refused:
                    if source.dead_letters is None:
                        kept.append(message)
                        continue
                    reason = REASONS.get(type(refused), type(refused).__name__)
                    source.bury_taken(message, self._now(), reason, refused.description)
        finally:
            for message in kept:
                source.put_back(message, self._now())
            self._running = False

    def _forward(self, message: Message) -> None:
        # one more out of a dead-letter queue: what came there by its hops may still be collected, but in no circle
        if message.hops >= MAX_HOPS + (self._source.dead_letters is None):
            raise _TooManyHops(self.target)
        target = self._find(self.target)
        content = message.content.copy()
        if self._source.partitions is not None:
            content.set_partition(None)
        if self._dead_letter_source is not None:
            content.annotate("x-opt-deadletter-source", self._dead_letter_source)
        if target.sessions is None or content.session_id is not None:
            target.check((content,))
        else:
            target.admit_sender()
        origin = message.sequence if message.origin is None else message.origin
        details = {"forwarded_from": self._source.name, "forwarded_sequence": message.sequence}
        self._source.forwarded(message, self._now(), target.name)
        target.take_forwarded(content, origin, message.hops + 1, details)
