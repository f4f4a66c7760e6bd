"""Auto-forwarding: what comes into one entity goes on to another (S-67, S-68)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from peeklock.servicebus.ledger import EventKind

from .clock import Clock
from .dead_lettering import DeadLettering
from .dispatch import Dispatch
from .errors import BrokerError, EntityDisabled, EntityNotFound, HeaderTooLarge, MessageTooLarge, QuotaExceeded
from .gate import Gate
from .intake import Intake
from .log import MessageLog
from .message import Message

MAX_HOPS = 4


class _TooManyHops(BrokerError):
    def __init__(self, target: str) -> None:
        super().__init__(
            f"The message was not forwarded to '{target}': it has been forwarded {MAX_HOPS} times already."
        )


_REASONS: dict[type[BrokerError], str] = {
    EntityDisabled: "MessagingEntityDisabledException",
    EntityNotFound: "MessagingEntityNotFoundException",
    HeaderTooLarge: "HeaderSizeExceeded",
    MessageTooLarge: "MessageSizeExceededException",
    QuotaExceeded: "QuotaExceededException",
    _TooManyHops: "MaxTransferHopCountExceeded",
}


def reason_of(refused: BrokerError) -> str:
    """Return the dead-letter reason of a message that its target did not take."""
    return _REASONS.get(type(refused), type(refused).__name__)


def local_name(target: str) -> str:
    """Return the name of a forwarding target, which may be written as `sb://namespace/name` (S-68)."""
    if "://" in target:
        target = target.split("://", 1)[1].partition("/")[2]
    return target.strip("/")


class Target(Protocol):
    """An entity that takes messages from others."""

    @property
    def name(self) -> str: ...
    @property
    def intake(self) -> Intake: ...


class Forwarder:
    """Moves the messages of one entity to the one named `target`, in order, as soon as they are active.

    What the target does not take goes to the dead-letter queue; a dead-letter queue keeps it, and tries again when the next
    message comes.
    """

    def __init__(
        self,
        log: MessageLog,
        dispatch: Dispatch,
        dead_lettering: DeadLettering,
        gate: Gate,
        target: str,
        find: Callable[[str], Target],
        clock: Clock,
        *,
        dead_letter_source: str | None = None,
    ) -> None:
        self._log = log
        self._dispatch = dispatch
        self._dead_lettering = dead_lettering
        self._gate = gate
        self._target = target
        self._find = find
        self._now = clock.now
        self._dead_letter_source = dead_letter_source
        self._running = False

    def run(self) -> None:
        """Forward what is ready. A circle of forwards comes back here: the messages wait for the outer turn."""
        if self._running or not self._gate.receivable:
            return
        self._running = True
        kept = []
        try:
            while (message := self._dispatch.take_next()) is not None:
                try:
                    self._forward(message)
                except BrokerError as refused:
                    if self._dead_lettering.queue is None:
                        kept.append(message)
                        continue
                    self._dead_lettering.bury(message, self._now(), reason_of(refused), refused.description)
        finally:
            for message in kept:
                self._dispatch.give_back(message, self._now())
            self._running = False

    def _forward(self, message: Message) -> None:
        # one more out of a dead-letter queue: what came there by its hops may still be collected, but in no circle
        if message.hops >= MAX_HOPS + (self._dead_lettering.queue is None):
            raise _TooManyHops(self._target)
        target = self._find(self._target)
        content = message.content.copy()
        if self._log.partitions is not None:
            content.set_partition(None)
        if self._dead_letter_source is not None:
            content.annotate("x-opt-deadletter-source", self._dead_letter_source)
        target.intake.check_forwarded(content)
        origin = message.sequence if message.origin is None else message.origin
        details = {"forwarded_from": self._log.name, "forwarded_sequence": message.sequence}
        self._log.record(self._now(), EventKind.FORWARDED, message, None, {"to": target.name})
        self._log.drop(message)
        target.intake.take_forwarded(content, origin, message.hops + 1, details)
