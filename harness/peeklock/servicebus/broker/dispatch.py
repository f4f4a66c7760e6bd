"""How the messages of an entity come to its receivers: in order, one each in turn."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable

from peeklock.servicebus.entity_settings import EntitySettings
from peeklock.servicebus.ledger import EventKind

from .clock import Clock
from .consumer import Consumer, principal_of
from .dead_lettering import DeadLettering
from .gate import Gate
from .line import ReadyLine
from .locks import LockTable
from .log import MessageLog
from .message import ACTIVE, DEFERRED, LOCKED, LOCKED_DEFERRED, Message
from .session import MessageSession, Sessions
from .timers import Timer

_random_bits = random.getrandbits
_DELIVERED = EventKind.DELIVERED  # looked up once: see `inbox`


_MOST_ASKING = 1000
"""So many are remembered: with `--any-key` strangers name themselves."""


class Dispatch:
    """The messages of one entity that are ready, and the receivers that wait for them."""

    def __init__(
        self,
        log: MessageLog,
        locks: LockTable[bytes, Message],
        dead_lettering: DeadLettering,
        gate: Gate,
        settings: EntitySettings,
        clock: Clock,
        timer: Timer,
    ) -> None:
        self._line = ReadyLine()
        self.consumers: set[Consumer] = set()
        self.asked: set[str] = set()
        """Who has asked for messages since the entity was emptied last: the principals of receivers, gone ones too."""
        self.sessions: Sessions | None = None
        self.append: Callable[[Message], None] = self._line.append
        """Puts a new message at the end of its line."""
        self.forward: Callable[[], None] | None = None
        """Passes on what is ready, where the entity forwards (S-67)."""
        self.settings = settings
        self._log = log
        self._locks = locks
        self._dead_lettering = dead_lettering
        self._gate = gate
        self._now = clock.now
        self._timer = timer
        self._waiting: deque[Consumer] = deque()

    def divide(self, sessions: Sessions) -> None:
        """Have messages stand in a line for each session, instead of in one."""
        self.sessions = sessions
        self.append = sessions.add

    # -- receivers

    def add(self, consumer: Consumer) -> None:
        """Let a receiver in; it is served after `wake`."""
        self.consumers.add(consumer)

    def remove(self, consumer: Consumer) -> None:
        """A receiver has gone. What it holds stays locked until its time is over (S-46)."""
        self.consumers.discard(consumer)
        self._gate.touch()
        if self.sessions is not None:
            self.sessions.leave(consumer)
        if consumer.waiting:
            consumer.waiting = False
            self._waiting.remove(consumer)

    def note_asking(self, principal: str) -> None:
        """Somebody asks for messages, whether or not there are any."""
        if len(self.asked) < _MOST_ASKING:
            self.asked.add(principal)

    def wake(self, consumer: Consumer) -> None:
        """A receiver can take more: serve it now, or remember that it waits."""
        if self.sessions is not None:
            self.sessions.wake(consumer)
            return
        if not consumer.waiting and consumer.ready:
            consumer.waiting = True
            self._waiting.append(consumer)
        if self._log.active:
            self.pump()

    @property
    def busy(self) -> bool:
        """True when there may be somebody to serve."""
        return bool(self._waiting) or self.sessions is not None or self.forward is not None

    def pump(self) -> None:
        """Hand ready messages to waiting receivers, in sequence order, one each in turn (S-56)."""
        if self.forward is not None:
            self.forward()
        waiting = self._waiting
        if not waiting:
            if self.sessions is not None:
                self.sessions.pump(self._now())
            return
        now = self._now()
        while waiting:
            consumer = waiting[0]
            if not consumer.ready:
                waiting.popleft()
                consumer.waiting = False
                continue
            message = self._line.pop()
            if message is None:
                return
            if message.expires_at is not None and message.expires_at <= now:
                self._dead_lettering.expire(message, now)
                continue
            if len(waiting) > 1:
                waiting.rotate(-1)
            self._hand_over(message, consumer, now)

    def serve(self, session: MessageSession, now: float) -> None:
        """Hand the ready messages of a session to its holder, in sequence order (S-62)."""
        holder = session.holder
        while holder is not None and holder.ready and session.line.filled:
            message = session.line.pop()
            if message is None:
                return
            if message.expires_at is not None and message.expires_at <= now:
                self._dead_lettering.expire(message, now)
                continue
            self._hand_over(message, holder, now)

    def _hand_over(self, message: Message, consumer: Consumer, now: float) -> None:
        if consumer.peek_lock:
            self.lock(message, consumer.name, LOCKED, now)
        else:
            self.remove_for(message, consumer.name, now)
        consumer.deliver(message)

    def lock(self, message: Message, consumer: str | None, state: str, now: float) -> None:
        """Lock a message for a receiver, as long as the entity, or its session, says (S-46, S-61)."""
        sessions = self.sessions
        until = now + self.settings.lock_duration if sessions is None else sessions.lock(message)
        message.locked_until = until
        message.token = token = _random_bits(128).to_bytes(16, "big")
        message.consumer = consumer
        self._locks.add(token, message)
        self._log.move(message, state)
        self._log.record(now, _DELIVERED, message, consumer, {"locked_until": until})
        if until < self._timer.armed:
            self._timer.arm(until)

    def remove_for(self, message: Message, consumer: str | None, now: float) -> None:
        """Let a message go with a receiver that receives and deletes (S-40)."""
        self._log.record(now, EventKind.RECEIVED_AND_DELETED, message, consumer)
        self._log.drop(message)

    # -- messages

    def restore(self, message: Message) -> None:
        """Give a message that a store has kept its place in the line, or its lock."""
        if message.state is ACTIVE:
            self.append(message)
        elif message.state in (LOCKED, LOCKED_DEFERRED):
            self._locks.add(message.token, message)
            self._timer.arm(message.locked_until)

    def give_back(self, message: Message, now: float) -> None:
        """Put a message that was locked back: to the deferred ones, or where it stood, unless its time to live is over."""
        if message.deferred:
            self._log.move(message, DEFERRED)
            return
        self._log.move(message, ACTIVE)
        if message.expires_at is not None and message.expires_at <= now:
            self._dead_lettering.expire(message, now)
        elif self.sessions is None:
            self._line.give_back(message)
        else:
            self.sessions.give_back(message)

    def leave_gap(self, message: Message) -> None:
        """Note that a ready message has left its line from where it stood."""
        if self.sessions is None:
            self._line.leave_gap()
        else:
            self.sessions.gone(message)

    def expire_due(self, now: float) -> None:
        """Let the ready messages go whose time to live is over."""
        while (message := self._log.expired(now)) is not None:
            self._dead_lettering.expire(message, now)
            self.leave_gap(message)

    def clear(self) -> None:
        """Forget all messages, and who has asked for some and is gone; receivers keep their credit."""
        self._line.clear()
        there = {*self.consumers, *(self.sessions.waiting if self.sessions is not None else ())}
        self.asked &= {principal_of(consumer.name) for consumer in there}
        if self.sessions is not None:
            self.sessions.purge()

    # -- forwarding

    def take_next(self) -> Message | None:
        """Take the next ready message out, for a forwarder: `give_back` returns it."""
        now = self._now()
        while (message := self._line.pop()) is not None:
            if message.expires_at is None or message.expires_at > now:
                self._log.move(message, LOCKED)
                return message
            self._dead_lettering.expire(message, now)
        return None
