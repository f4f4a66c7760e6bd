"""A queue, and a dead-letter queue: what senders, receivers and managers may ask of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from peeklock.servicebus.ledger import EventKind, Ledger

from .clock import Clock
from .entity import Entity
from .errors import (
    ArgumentError,
    EntityDisabled,
    HeaderTooLarge,
    MessageLockLost,
    MessageNotFound,
    MessageTooLarge,
    NotAllowed,
    QuotaExceeded,
    SessionLockLost,
)
from .interference import Interference
from .message import ACTIVE, DEFERRED, LOCKED, LOCKED_DEFERRED, ORDER_BITS, SCHEDULED, Content, Message
from .settings import Settings

_COMPLETED = EventKind.COMPLETED  # looked up once: see `backlog`
DEAD_LETTER_SUFFIX = "/$deadletterqueue"
TRANSFER_SUFFIX = "/$transfer"
STATUSES = ("Active", "Disabled", "SendDisabled", "ReceiveDisabled")
HEADER_REASON = "HeaderSizeExceeded"
HEADER_TEXT = "The size quota for this stream has been exceeded."
SESSION_NEEDED_TEXT = "Session enabled entity doesn't allow a message whose session identifier is null."


class Queue(Entity):
    """One queue and, unless it is one itself, its dead-letter queue."""

    dead_letters: Queue | None
    transfer_dead_letters: Queue | None = None
    kind = "Queue"
    has_dead_letters = True

    def __init__(
        self,
        name: str,
        settings: Settings,
        clock: Clock,
        ledger: Ledger,
        arm: Callable[[Any, float], None],
        *,
        is_dead_letter: bool = False,
    ) -> None:
        super().__init__(name, settings, clock, ledger, arm, is_dead_letter=is_dead_letter)
        self.faults: Interference | None = None
        self.status = "Active"
        self.receivable = True
        self._sendable = not is_dead_letter
        if settings.partitioned:
            self.divide(inherits=is_dead_letter)
        if self.has_dead_letters and not is_dead_letter:
            self.dead_letters = Queue(name + DEAD_LETTER_SUFFIX, settings, clock, ledger, arm, is_dead_letter=True)

    def send(self, contents: Sequence[Content]) -> None:
        """Take messages in order, all or none (S-65). Raises `NotAllowed`, `MessageTooLarge` or `QuotaExceeded`."""
        self.check(contents)
        self.take(contents)

    def take(self, contents: Sequence[Content]) -> None:
        """Take messages in order; `check` has passed."""
        self.used_at = now = self._now()
        for content in contents:
            if content.scheduled_at is not None and content.scheduled_at > now:
                self._add_scheduled(content, content.scheduled_at, now)
            elif self._is_new(content, now):
                self._add(content, now)
        if self._waiting or self.sessions is not None or self.forwarder is not None:
            self.pump()

    def check(self, contents: Sequence[Content]) -> None:
        """Raise what `send` would raise for these messages, without taking them."""
        if not self._sendable:
            self.admit_sender()
        if self.sessions is not None:
            self.sessions.check(contents)
        if self.partitions is not None:
            self.partitions.check(contents)
        total = self.check_sizes(contents)
        if self.stored_bytes() + total > self._max_bytes:
            raise QuotaExceeded(
                "The maximum entity size has been reached or exceeded for "
                f"{self.kind}: '{self.name}'. Size of entity in bytes:{self.stored_bytes()}, Max entity size in bytes:{self._max_bytes}."
            )

    def check_sizes(self, contents: Sequence[Content]) -> int:
        """Return how long the messages are together, in bytes. Raises `MessageTooLarge`, and `HeaderTooLarge` or
        `ArgumentError` for what else is too long (S-38, S-64)."""
        total = 0
        for content in contents:
            total += content.size
            if content.size > self._max_message_bytes:
                raise MessageTooLarge(
                    f"The received message (size {content.size}) exceeds the limit ({self._max_message_bytes}) of '{self.name}'."
                )
            if (flaw := content.flaw()) is not None:
                kind, text = flaw
                raise HeaderTooLarge(text) if kind == "head" else ArgumentError(text)
        return total

    def reserve(self, contents: Sequence[Content], *, via: bool = False) -> list[int]:
        """Take sequence numbers for messages that come later, or, with `via`, only pass through."""
        first = self._next_sequence
        self._next_sequence = first + len(contents)
        if self.journal is not None:
            self.journal.numbered(self)
        if self.partitions is not None:
            choose = self.partitions.reserve
            return [choose(content, first + index, via=via) for index, content in enumerate(contents)]
        return list(range(first, first + len(contents)))

    def note(self, now: float, event: EventKind, message: Message, details: dict[str, Any]) -> None:
        """Write into the ledger what happened to a message that did not stay here."""
        self._ledger.record(
            now, self.name, event, message.sequence, message.content.message_id, 1, None, message.content, details
        )

    def parts(self) -> list[Queue]:
        """Return the queue itself and the dead-letter queues that hang on it."""
        return [part for part in (self, self.dead_letters, self.transfer_dead_letters) if part is not None]

    def last_used(self) -> float | None:
        """Return when somebody used the entity last, in epoch seconds; None while it is in use (S-87)."""
        parts = self.parts()
        if any(part.consumers for part in parts) or self.scheduled_count:
            return None
        return max(part.used_at for part in parts)

    def touch(self) -> None:
        """Note that somebody uses the entity."""
        self.used_at = self._now()

    def stored_bytes(self) -> int:
        """Return how much of the entity's quota is used (S-66)."""
        return self.size_in_bytes

    def admit_sender(self) -> None:
        """Raise what forbids sending here, if anything does: `NotAllowed` or `EntityDisabled` (S-51, S-77)."""
        if self.is_dead_letter:
            raise NotAllowed(f"You cannot send to a dead-letter queue: '{self.name}'.")
        if not self._sendable:
            raise EntityDisabled(f"Messaging entity '{self.name}' is currently disabled for sending.")

    def admit_receiver(self) -> None:
        """Raise what forbids receiving from here, if anything does: `NotAllowed` or `EntityDisabled` (S-67, S-77)."""
        if not self.receivable:
            raise EntityDisabled(f"Messaging entity '{self.name}' is currently disabled for receiving.")
        if self.forwarder is not None and not self.is_dead_letter:
            raise NotAllowed(
                f"A receiver cannot be created on '{self.name}': it forwards its messages to '{self.forwarder.target}'."
            )

    def set_status(self, status: str) -> None:
        """Open or close the entity for senders and receivers; messages are kept (S-77). Raises `ArgumentError`."""
        if status not in STATUSES:
            raise ArgumentError(f"'{status}' is not a status of an entity: {', '.join(STATUSES)}.")
        self.status = status
        self.receivable = status in ("Active", "SendDisabled")
        self._sendable = status in ("Active", "ReceiveDisabled") and not self.is_dead_letter
        if self.journal is not None:
            self.journal.configured(self)
        if self.receivable:
            self.pump()

    def take_forwarded(self, content: Content, origin: int, hops: int, details: dict[str, Any]) -> None:
        """Take a message that another entity forwards; `check` has passed. It is new here, but for `origin` (S-67)."""
        self.used_at = now = self._now()
        if self.sessions is not None and content.session_id is None:
            self.bury_at_birth(content, now, origin, "Session ID is null.", SESSION_NEEDED_TEXT)
        elif self._is_new(content, now):
            message = self._add(content, now, EventKind.ENQUEUED, details)
            message.origin, message.hops = origin, hops
            self.pump()

    def bury_at_birth(self, content: Content, now: float, origin: int | None, reason: str, text: str) -> None:
        """Put a message that cannot stand here into the dead-letter queue, with a number as if it had (S-52)."""
        assert self.dead_letters is not None
        (number,) = self.reserve((content,))
        message = Message(content, number, now, None)
        message.origin = origin
        self._record(now, EventKind.DEAD_LETTERED, message, None, {"reason": reason, "description": text})
        properties = {"DeadLetterReason": reason, "DeadLetterErrorDescription": text}
        self.dead_letters.accept_dead(message, content.updated(properties), now)

    def schedule(self, contents: Sequence[Content], default_at: float | None = None) -> list[int]:
        """Keep messages until their `scheduled_at`; return their sequence numbers (S-54); 0 for a dropped duplicate."""
        self.check(contents)
        self.used_at = now = self._now()
        numbers = []
        for content in contents:
            at = content.scheduled_at if content.scheduled_at is not None else (default_at or now)
            numbers.append(self._add_scheduled(content, at, now))
        self.expire_due()
        return numbers

    def place(self, contents: Sequence[Content], numbers: Sequence[int]) -> None:
        """Keep messages until their `scheduled_at`, under numbers that were reserved; `check` has passed."""
        now = self._now()
        for content, number in zip(contents, numbers, strict=True):
            if self.partitions is not None:
                content.set_partition(number >> ORDER_BITS)
            self._add_scheduled(content, now if content.scheduled_at is None else content.scheduled_at, now, number)

    def cancel(self, numbers: Sequence[int]) -> None:
        """Drop scheduled messages, all or none. Raises `MessageNotFound` when one is not scheduled (any more)."""
        self.expire_due()
        messages = [self._index.get(number) for number in numbers]
        missing = [n for n, m in zip(numbers, messages, strict=True) if m is None or m.state is not SCHEDULED]
        if missing:
            raise MessageNotFound(f"Scheduled message(s) with sequence number(s) {missing} could not be found.")
        now = self._now()
        for message in messages:
            if message is not None and message.state is SCHEDULED:
                self._record(now, EventKind.CANCELLED, message)
                self._forget(message)

    def receive_deferred(
        self, numbers: Sequence[int], consumer: str | None, *, peek_lock: bool, session_id: str | None = None
    ) -> list[Message]:
        """Take deferred messages (of that session) by sequence number, all or none (S-48). Raises `MessageNotFound`, and
        `EntityDisabled` (S-77)."""
        if not self.receivable:
            self.admit_receiver()
        self.expire_due()
        found = []
        for number in numbers:
            message = self._index.get(number)
            if (
                message is None
                or message.state is not DEFERRED
                or message in found
                or session_id not in (None, message.session_id)
            ):
                raise MessageNotFound(
                    f"Failed to lock one or more specified messages. The message with sequence number {number} does not exist "
                    "or is not deferred."
                )
            found.append(message)
        now = self._now()
        for message in found:
            self.deferred -= 1
            if peek_lock:
                self._lock(message, consumer, now)
                message.state = LOCKED_DEFERRED
            else:
                self._record(now, EventKind.RECEIVED_AND_DELETED, message, consumer)
                message.state = LOCKED
                self._forget(message)
        return found

    def peek(self, start: int, count: int, session_id: str | None = None) -> list[Message]:
        """Return up to `count` messages from sequence number `start` on, whatever their state, of all sessions or of
        one; changes nothing (S-55)."""
        found: list[Message] = []
        for message in self._index.scan(start):
            if len(found) >= count:
                break
            if session_id is None or message.content.session_id == session_id:
                found.append(message)
        return found

    def delete(self, count: int, enqueued_before: float, session_id: str | None = None) -> int:
        """Delete the oldest messages, at most `count`, that were enqueued before a moment (epoch seconds) and that
        nobody has locked; return how many went (S-28)."""
        self.expire_due()
        now = self._now()
        chosen: list[Message] = []
        for message in self._index.scan(0):
            if len(chosen) >= count:
                break
            if message.state is not ACTIVE or message.enqueued_at >= enqueued_before:
                continue
            if session_id is None or message.session_id == session_id:
                chosen.append(message)
        for message in chosen:
            self._record(now, EventKind.DELETED, message)
            self._drop_ready(message)
        return len(chosen)

    def _unlock(self, token: bytes, now: float) -> Message:
        message = self._locks.get(token)
        if message is None or message.locked_until <= now:
            if message is not None:
                self.expire_due()
                if self.sessions is not None:
                    raise SessionLockLost
            raise MessageLockLost
        del self._locks[token]
        if self.sessions is not None:
            self.sessions.unlock(message)
        return message

    def complete(self, token: bytes) -> None:
        """Remove a locked message. Raises `MessageLockLost`, as all settlements do."""
        now = self._now()
        message = self._unlock(token, now)
        self._record(now, _COMPLETED, message, message.consumer)
        self._forget(message)

    def abandon(self, token: bytes, properties: dict[str, Any] | None = None) -> None:
        """Give a message back, its delivery count one up; past the maximum it goes to the dead-letter queue (S-49)."""
        now = self._now()
        message = self._unlock(token, now)
        self._record(now, EventKind.ABANDONED, message, message.consumer)
        if self._modify(message, properties, now):
            self._fail(message, now)
        self.pump()

    def release(self, token: bytes) -> None:
        """Give a message back without counting: the receiver never looked at it (S-42)."""
        now = self._now()
        message = self._unlock(token, now)
        self._record(now, EventKind.RELEASED, message, message.consumer)
        self._give_back(message, now)
        self.pump()

    def redeliver(self, token: bytes, *, serve: bool = True) -> None:
        """End a lock and give its message out again at once, its delivery count one up whatever the maximum: what a receiver
        meets when the news of its settlement was lost. `serve` False: the caller is handing out messages already."""
        now = self._now()
        message = self._unlock(token, now)
        self._record(now, EventKind.TAKEN_BACK, message, message.consumer)
        message.delivery_count += 1
        self._give_back(message, now)
        if serve:
            self.pump()

    def defer(self, token: bytes, properties: dict[str, Any] | None = None) -> None:
        """Set a message aside, to be received by its sequence number only (S-48)."""
        now = self._now()
        message = self._unlock(token, now)
        if not self._modify(message, properties, now):
            return
        self._record(now, EventKind.DEFERRED, message, message.consumer)
        message.state = DEFERRED
        self.deferred += 1
        if self.journal is not None:
            self.journal.moved(self, message)

    def dead_letter(
        self,
        token: bytes,
        reason: str | None = None,
        description: str | None = None,
        properties: dict[str, Any] | None = None,
    ) -> None:
        """Move a message to the dead-letter queue with its reason. Raises `NotAllowed` in a dead-letter queue (S-51)."""
        self.admit_dead_letter()
        now = self._now()
        message = self._unlock(token, now)
        self._bury(message, now, reason, description, message.delivery_count + 1, properties)

    def admit_dead_letter(self) -> None:
        """Raise `NotAllowed` where there is no dead-letter queue (S-51)."""
        if self.dead_letters is None:
            raise NotAllowed(f"A message cannot be dead-lettered out of '{self.name}'.")

    def renew(self, token: bytes) -> float:
        """Lock a message for another full lock duration; return until when (S-47)."""
        now = self._now()
        if self.sessions is not None:
            raise NotAllowed("Messages of a session are locked with it: renew the lock of the session.")
        message = self._unlock(token, now)
        message.locked_until = now + self._lock_duration
        self._locks[token] = message  # at the end again: the locks stay ordered by their expiry
        if self.journal is not None:
            self.journal.moved(self, message)
        details = {"locked_until": message.locked_until}
        self._record(now, EventKind.RENEWED, message, message.consumer, details)
        return message.locked_until

    def locked(self, token: bytes) -> Message | None:
        """Return the message under a lock that still holds, or None."""
        message = self._locks.get(token)
        return message if message is not None and message.locked_until > self._now() else None

    def _modify(self, message: Message, properties: dict[str, Any] | None, now: float) -> bool:
        """Change the properties of a message that was just unlocked; False when it has gone to the dead letters, as they
        became too long (S-38, S-52)."""
        if not properties:
            return True
        changed = message.content.updated(properties)
        if self.dead_letters is not None and changed.flaw() is not None:
            self._bury(message, now, HEADER_REASON, HEADER_TEXT, message.delivery_count + 1)
            return False
        self.size_in_bytes += changed.size - message.content.size
        message.content = changed
        if self.journal is not None:
            self.journal.revised(self, message)
        return True
