"""What comes into an entity: sent, scheduled, forwarded or given up by another one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from peeklock.servicebus.entity_settings import EntitySettings
from peeklock.servicebus.ledger import EventKind

from .clock import Clock
from .dead_lettering import SESSION_NEEDED_REASON, SESSION_NEEDED_TEXT, DeadLettering
from .dispatch import Dispatch
from .duplicates import DuplicateHistory
from .errors import ArgumentError, HeaderTooLarge, MessageNotFound, MessageTooLarge, QuotaExceeded
from .gate import Gate
from .inbox import Inbox
from .log import MessageLog
from .message import ORDER_BITS, SCHEDULED, Content, Message
from .partitions import COUNT


class Intake:
    """Checks what comes, drops duplicates, keeps what is scheduled, and puts the rest into the `inbox`.

    `stored_bytes` tells how much of the quota is used; `kind` is what the service calls the entity.
    """

    __slots__ = (
        "_dead_lettering", "_dispatch", "_gate", "_kind", "_log", "_most_bytes", "_most_in_a_message", "_now", "_settings",
        "_stored_bytes", "history", "inbox",
    )  # fmt: skip

    def __init__(
        self,
        kind: str,
        log: MessageLog,
        inbox: Inbox,
        gate: Gate,
        dispatch: Dispatch,
        dead_lettering: DeadLettering,
        history: DuplicateHistory | None,
        settings: EntitySettings,
        clock: Clock,
        stored_bytes: Callable[[], int],
    ) -> None:
        self.inbox = inbox
        self.history = history
        self._kind = kind
        self._log = log
        self._gate = gate
        self._dispatch = dispatch
        self._dead_lettering = dead_lettering
        self._now = clock.now
        self._stored_bytes = stored_bytes
        self.configure(settings)

    def configure(self, settings: EntitySettings) -> None:
        """Take settings, for what comes."""
        self._settings = settings
        partitions = 1 if self._log.partitions is None else COUNT
        self._most_bytes = (settings.max_size_in_megabytes << 20) * partitions  # so much in each of them (S-86)
        self._most_in_a_message = settings.max_message_size_in_kilobytes << 10
        self.inbox.settings = settings
        if self.history is not None and settings.duplicate_detection_window is not None:
            self.history.window = settings.duplicate_detection_window

    # -- sending

    def send(self, contents: Sequence[Content]) -> None:
        """Take messages in order, all or none (S-65). Raises `NotAllowed`, `MessageTooLarge` or `QuotaExceeded`."""
        self.check(contents)
        self.take(contents)

    def take(self, contents: Sequence[Content]) -> None:
        """Take messages in order; `check` has passed."""
        self._gate.used_at = now = self._now()
        for content in contents:
            if content.scheduled_at is not None and content.scheduled_at > now:
                self._add_scheduled(content, content.scheduled_at, now)
            elif self.history is None or self._is_new(content, now):
                self.inbox.put(content, now)
        if self._dispatch.busy:
            self._dispatch.pump()

    def check(self, contents: Sequence[Content]) -> None:
        """Raise what `send` would raise for these messages, without taking them."""
        if not self._gate.sendable:
            self._gate.admit_sender()
        if self._dispatch.sessions is not None:
            self._dispatch.sessions.check(contents)
        if self._log.partitions is not None:
            self._log.partitions.check(contents)
        total = self.check_sizes(contents)
        if self._stored_bytes() + total > self._most_bytes:
            raise QuotaExceeded(
                f"The maximum entity size has been reached or exceeded for {self._kind}: '{self._log.name}'. "
                f"Size of entity in bytes:{self._stored_bytes()}, Max entity size in bytes:{self._most_bytes}."
            )

    def check_sizes(self, contents: Sequence[Content]) -> int:
        """Return how long the messages are together, in bytes. Raises `MessageTooLarge`, and `HeaderTooLarge` or
        `ArgumentError` for what else is too long (S-38, S-64)."""
        total = 0
        most = self._most_in_a_message
        for content in contents:
            total += content.size
            if content.size > most:
                raise MessageTooLarge(
                    f"The received message (size {content.size}) exceeds the limit ({most}) of '{self._log.name}'."
                )
            if (flaw := content.flaw()) is not None:
                kind, text = flaw
                raise HeaderTooLarge(text) if kind == "head" else ArgumentError(text)
        return total

    # -- scheduling

    def schedule(self, contents: Sequence[Content], default_at: float | None = None) -> list[int]:
        """Keep messages until their `scheduled_at`; return their sequence numbers (S-54); 0 for a dropped duplicate."""
        self.check(contents)
        self._gate.used_at = now = self._now()
        numbers = []
        for content in contents:
            at = content.scheduled_at if content.scheduled_at is not None else (default_at or now)
            numbers.append(self._add_scheduled(content, at, now))
        self.activate_due(now)
        return numbers

    def place(self, contents: Sequence[Content], numbers: Sequence[int]) -> None:
        """Keep messages until their `scheduled_at`, under numbers that were reserved; `check` has passed."""
        now = self._now()
        for content, number in zip(contents, numbers, strict=True):
            if self._log.partitions is not None:
                content.set_partition(number >> ORDER_BITS)
            self._add_scheduled(content, now if content.scheduled_at is None else content.scheduled_at, now, number)

    def cancel(self, numbers: Sequence[int]) -> None:
        """Drop scheduled messages, all or none. Raises `MessageNotFound` when one is not scheduled (any more)."""
        now = self._now()
        self.activate_due(now)
        found = {number: self._log.get(number) for number in numbers}
        chosen = [message for message in found.values() if message is not None and message.state is SCHEDULED]
        if len(chosen) < len(found):
            missing = [number for number in numbers if found[number] not in chosen]
            raise MessageNotFound(f"Scheduled message(s) with sequence number(s) {missing} could not be found.")
        for message in chosen:
            self._log.record(now, EventKind.CANCELLED, message)
            self._log.drop(message)

    def activate_due(self, now: float) -> None:
        """Take the scheduled messages whose time has come, each under a new number (S-54)."""
        activated = False
        while (message := self._log.due(now)) is not None:
            activated = True
            self._log.drop(message)
            # the clock may have jumped past it: its life begins at the moment that was asked for
            content = message.content
            details = {"scheduled_sequence": message.sequence}
            self.inbox.put(content, now, EventKind.ACTIVATED, details, since=content.scheduled_at)
        if activated:
            self._dispatch.pump()

    def _add_scheduled(self, content: Content, at: float, now: float, number: int | None = None) -> int:
        if self.history is not None and not self._is_new(content, now):
            return 0
        if number is None:
            number = self._log.number(content)
        content.scheduled_at = at
        default = self._settings.default_time_to_live
        if default is not None and (content.ttl is None or default < content.ttl):
            content.limit_ttl(default)  # now, as the ledger's entry has the message as it is: it must not change later
        message = Message(content, number, now, None)
        message.state = SCHEDULED
        self._log.add(message)
        self._log.record(now, EventKind.SCHEDULED, message, None, {"scheduled_at": at}, content)
        return number

    def _is_new(self, content: Content, now: float) -> bool:
        assert self.history is not None
        partitions = self._log.partitions
        key = content.message_id if partitions is None else partitions.duplicate_key(content)
        if self.history.is_new(key, now):
            if self._log.journal is not None:
                self._log.journal.remembered(key, now)
            return True
        self._log.record_duplicate(now, content)
        return False

    # -- from other entities

    def check_forwarded(self, content: Content) -> None:
        """Raise what forbids taking a message from another entity. One without the session that it needs is taken, for the
        dead-letter queue."""
        if self._dispatch.sessions is None or content.session_id is not None:
            self.check((content,))
        else:
            self._gate.admit_sender()

    def take_forwarded(self, content: Content, origin: int, hops: int, details: dict[str, Any]) -> None:
        """Take a message that another entity forwards; `check_forwarded` has passed. It is new here, but for `origin` (S-67)."""
        self._gate.used_at = now = self._now()
        if self._dispatch.sessions is not None and content.session_id is None:
            self._dead_lettering.bury_at_birth(content, now, origin, SESSION_NEEDED_REASON, SESSION_NEEDED_TEXT)
        elif self.history is None or self._is_new(content, now):
            self.inbox.put(content, now, EventKind.ENQUEUED, details, origin=origin, hops=hops)
            self._dispatch.pump()

    def bury(self, content: Content, now: float, origin: int | None, reason: str, text: str) -> None:
        """Put a message that cannot stand here into the dead-letter queue."""
        self._dead_lettering.bury_at_birth(content, now, origin, reason, text)

    def accept(self, source: Message, content: Content, now: float) -> None:
        """Take a message that another entity has given up; it keeps its delivery count (`DeadLetterQueue`)."""
        details = {"dead_letter_source": source.sequence}
        message = self.inbox.put(content, now, EventKind.ENQUEUED, details, origin=source.sequence, hops=source.hops)
        message.delivery_count = source.delivery_count
        self._dispatch.pump()
