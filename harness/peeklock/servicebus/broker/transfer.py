"""Send-via: messages that go through one entity into another, so that one transaction may reach both (S-17, S-75)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from peeklock.servicebus.ledger import EventKind

from .clock import Clock
from .errors import BrokerError, EntityDisabled, NotAllowed
from .forwarding import reason_of
from .message import Content, Message
from .queue import Queue


class Transfer:
    """The way from `via` to the entity named `destination`.

    What the destination does not take when the message comes to it (disabled, full) goes to the transfer dead-letter queue
    of `via`; a destination that is gone, or a message that is too long, is refused to the sender.
    """

    __slots__ = ("_dead_letters", "_find", "_now", "destination", "via")

    def __init__(
        self,
        via: Queue,
        destination: str,
        find: Callable[[str], Queue],
        dead_letters: Callable[[Queue], Queue],
        clock: Clock,
    ) -> None:
        self.via = via
        self.destination = destination
        self._find = find
        self._dead_letters = dead_letters
        self._now = clock.now

    def admit_sender(self) -> None:
        """Raise what forbids sending this way, if anything does: `NotAllowed`, `EntityDisabled` or `EntityNotFound`."""
        target = self._find(self.destination)
        for entity in (self.via, target):
            if entity.is_dead_letter:
                raise NotAllowed(f"You cannot send to a dead-letter queue: '{entity.name}'.")
        if self.via.gate.status in ("Disabled", "SendDisabled"):
            raise EntityDisabled(f"Messaging entity '{self.via.name}' is currently disabled for sending.")

    def check(self, contents: Sequence[Content]) -> None:
        """Raise what `send` would raise for these messages, without sending them."""
        self.admit_sender()
        self.via.intake.check_sizes(contents)
        if self.via.log.partitions is not None:
            self.via.log.partitions.check(contents, via=True)
        self._find(self.destination).intake.check_sizes(contents)

    def send(self, contents: Sequence[Content]) -> None:
        """Pass messages on, in order, all or none. Raises as `admit_sender` does, and `MessageTooLarge`."""
        self.check(contents)
        self.take(contents)

    def take(self, contents: Sequence[Content]) -> None:
        """Pass messages on; `check` has passed."""
        target = self._find(self.destination)
        for content in contents:
            self._pass_on(content, target)

    def _pass_on(self, content: Content, target: Queue) -> None:
        now, log = self._now(), self.via.log
        (number,) = log.reserve((content,), via=True)
        message = Message(content, number, now, None)
        try:
            target.intake.check_forwarded(content)
        except BrokerError as refused:
            reason = reason_of(refused)
            details: dict[str, Any] = {"reason": reason, "description": refused.description, "to": target.name}
            log.record(now, EventKind.TRANSFER_DEAD_LETTERED, message, None, details, content)
            added = {"DeadLetterReason": reason, "DeadLetterErrorDescription": refused.description}
            self._dead_letters(self.via).intake.accept(message, content.updated(added), now)
            return
        log.record(now, EventKind.TRANSFERRED, message, None, {"to": target.name}, content)
        told = {"transferred_from": self.via.name, "transferred_sequence": number}
        target.intake.take_forwarded(content, number, 1, told)
