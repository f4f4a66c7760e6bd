"""How a lock ends: by its receiver's word, by the clock, or by a fault (S-41 to S-52)."""

from __future__ import annotations

from typing import Any

from peeklock.servicebus.entity_settings import EntitySettings
from peeklock.servicebus.ledger import EventKind

from .clock import Clock
from .dead_lettering import HEADER_REASON, HEADER_TEXT, DeadLettering
from .dispatch import Dispatch
from .errors import MessageLockLost, NotAllowed, SessionLockLost
from .locks import LockTable
from .log import MessageLog
from .message import DEFERRED, Message

_COMPLETED = EventKind.COMPLETED  # looked up once: see `inbox`


class Settlement:
    """Settles the locked messages of one entity. Every settlement raises `MessageLockLost` when the lock does not hold any more."""

    __slots__ = ("_dead_lettering", "_dispatch", "_locks", "_log", "_now", "settings")

    def __init__(
        self,
        log: MessageLog,
        locks: LockTable[bytes, Message],
        dispatch: Dispatch,
        dead_lettering: DeadLettering,
        settings: EntitySettings,
        clock: Clock,
    ) -> None:
        self.settings = settings
        self._log = log
        self._locks = locks
        self._dispatch = dispatch
        self._dead_lettering = dead_lettering
        self._now = clock.now

    def complete(self, token: bytes) -> None:
        """Remove a message."""
        now = self._now()
        message = self._unlock(token, now)
        self._log.record(now, _COMPLETED, message, message.consumer)
        self._log.drop(message)

    def abandon(self, token: bytes, properties: dict[str, Any] | None = None) -> None:
        """Give a message back, its delivery count one up; past the maximum it goes to the dead-letter queue (S-49)."""
        now = self._now()
        message = self._unlock(token, now)
        self._log.record(now, EventKind.ABANDONED, message, message.consumer)
        if self._modify(message, properties, now):
            self._fail(message, now)
        self._dispatch.pump()

    def release(self, token: bytes) -> None:
        """Give a message back without counting: the receiver never looked at it (S-42)."""
        now = self._now()
        message = self._unlock(token, now)
        self._log.record(now, EventKind.RELEASED, message, message.consumer)
        self._dispatch.give_back(message, now)
        self._dispatch.pump()

    def defer(self, token: bytes, properties: dict[str, Any] | None = None) -> None:
        """Set a message aside, to be received by its sequence number only (S-48)."""
        now = self._now()
        message = self._unlock(token, now)
        if self._modify(message, properties, now):
            self._log.record(now, EventKind.DEFERRED, message, message.consumer)
            self._log.move(message, DEFERRED)

    def dead_letter(
        self,
        token: bytes,
        reason: str | None = None,
        description: str | None = None,
        properties: dict[str, Any] | None = None,
    ) -> None:
        """Move a message to the dead-letter queue with its reason. Raises `NotAllowed` in a dead-letter queue (S-51)."""
        self._dead_lettering.admit()
        now = self._now()
        self._dead_lettering.bury(self._unlock(token, now), now, reason, description, properties)

    def admit_dead_letter(self) -> None:
        """Raise `NotAllowed` where there is no dead-letter queue (S-51)."""
        self._dead_lettering.admit()

    def renew(self, token: bytes) -> float:
        """Lock a message for another full lock duration; return until when, in epoch seconds (S-47)."""
        now = self._now()
        if self._dispatch.sessions is not None:
            raise NotAllowed("Messages of a session are locked with it: renew the lock of the session.")
        message = self._holding(token, now)
        message.locked_until = now + self.settings.lock_duration
        self._locks.add(token, message)
        self._log.move(message, message.state)
        self._log.record(now, EventKind.RENEWED, message, message.consumer, {"locked_until": message.locked_until})
        return message.locked_until

    def locked(self, token: bytes) -> Message | None:
        """Return the message under a lock that still holds, or None."""
        message = self._locks.get(token)
        return message if message is not None and message.locked_until > self._now() else None

    # -- not by its receiver

    def redeliver(self, token: bytes, *, serve: bool = True) -> None:
        """End a lock and give its message out again at once, its delivery count one up whatever the maximum: what a receiver
        meets when the news of its settlement was lost. `serve` False: the caller is handing out messages already."""
        now = self._now()
        message = self._unlock(token, now)
        self._log.record(now, EventKind.TAKEN_BACK, message, message.consumer)
        message.delivery_count += 1
        self._dispatch.give_back(message, now)
        if serve:
            self._dispatch.pump()

    def expire_locks(self, message_id: str | None = None) -> list[Message]:
        """End locks before their time, those of one message-id or all; with sessions, the locks of the sessions that hold
        them. It counts as any lock that ran out (S-49). Returns the messages."""
        now = self._now()
        chosen = [message for message in self._locks if message_id in (None, message.content.message_id)]
        sessions = self._dispatch.sessions
        if sessions is not None:
            sessions.expire(now, None if message_id is None else {message.session_id or "" for message in chosen})
        else:
            for message in chosen:
                self.take_back(message, now, failed=True)
        self._dispatch.pump()
        return chosen

    def expire_due(self, now: float) -> None:
        """End the locks whose time is over; serving receivers is the caller's."""
        sessions = self._dispatch.sessions
        if sessions is not None:
            sessions.expire_due(now)
        while (message := self._locks.pop_due(now)) is not None:
            self._lose(message, now)

    def take_back(self, message: Message, now: float, *, failed: bool) -> None:
        """End the lock of a message: its time is over (`failed`), or its holder has left."""
        self._locks.remove(message.token)
        if failed:
            self._lose(message, now)
        else:
            self._log.record(now, EventKind.RELEASED, message, message.consumer)
            self._dispatch.give_back(message, now)

    # -- inside

    def _holding(self, token: bytes, now: float) -> Message:
        message = self._locks.get(token)
        if message is None:
            raise MessageLockLost
        if message.locked_until <= now:
            self.expire_due(now)
            self._dispatch.pump()
            raise MessageLockLost if self._dispatch.sessions is None else SessionLockLost
        return message

    def _unlock(self, token: bytes, now: float) -> Message:
        message = self._holding(token, now)
        self._locks.remove(token)
        if self._dispatch.sessions is not None:
            self._dispatch.sessions.unlock(message)
        return message

    def _lose(self, message: Message, now: float) -> None:
        self._log.record(now, EventKind.LOCK_EXPIRED, message, message.consumer)
        self._fail(message, now)

    def _fail(self, message: Message, now: float) -> None:
        """A delivery came to nothing: count it, then return the message or bury it."""
        most = self.settings.max_delivery_count
        if self._dead_lettering.queue is not None and not message.deferred and message.delivery_count + 1 >= most:
            text = f"Message could not be consumed after {most} delivery attempts."
            self._dead_lettering.bury(message, now, "MaxDeliveryCountExceeded", text, failed=True)
        else:
            message.delivery_count += 1
            self._dispatch.give_back(message, now)

    def _modify(self, message: Message, properties: dict[str, Any] | None, now: float) -> bool:
        """Change the properties of a message that was just unlocked; False when it has gone to the dead letters, as they
        became too long (S-38, S-52)."""
        if not properties:
            return True
        changed = message.content.updated(properties)
        if self._dead_lettering.queue is not None and changed.flaw() is not None:
            self._dead_lettering.bury(message, now, HEADER_REASON, HEADER_TEXT)
            return False
        self._log.revise(message, changed)
        return True
