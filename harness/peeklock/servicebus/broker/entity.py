"""How the messages of an entity come to its receivers: order, locks, failed deliveries, dead letters.

Pure: receivers are told through `Consumer.deliver`.
"""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable
from typing import Any

from peeklock.servicebus.ledger import EventKind, Ledger

from .backlog import NEVER, Backlog
from .clock import Clock
from .consumer import Consumer
from .forwarding import Forwarder
from .message import ACTIVE, DEFERRED, LOCKED, Content, Message
from .session import MessageSession, Sessions
from .settings import Settings

_random_bits = random.getrandbits
_DELIVERED = EventKind.DELIVERED  # looked up once: see `backlog`


class Entity(Backlog):
    """One queue as its receivers see it; `Queue` adds what clients may ask for."""

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
        self.dead_letters: Entity | None = None
        self.consumers: set[Consumer] = set()
        self.used_at = clock.now()
        """When somebody used it last, in epoch seconds."""
        self.forwarder: Forwarder | None = None
        self._waiting: deque[Consumer] = deque()
        if settings.requires_session and not is_dead_letter:
            self.sessions = Sessions(self, settings.lock_duration, clock, ledger)

    def reconfigure(self, settings: Settings) -> None:
        """Take new settings, the dead-letter queue too."""
        super().reconfigure(settings)
        if self.dead_letters is not None:
            self.dead_letters.reconfigure(settings)

    def add_consumer(self, consumer: Consumer) -> None:
        """Let a receiver in; it is served after `wake`."""
        self.consumers.add(consumer)

    def remove_consumer(self, consumer: Consumer) -> None:
        """A receiver has gone. What it holds stays locked until its time is over (S-46)."""
        self.consumers.discard(consumer)
        self.used_at = self._now()
        if self.sessions is not None:
            self.sessions.leave(consumer)
        if consumer.waiting:
            consumer.waiting = False
            self._waiting.remove(consumer)

    def wake(self, consumer: Consumer) -> None:
        """A receiver can take more: serve it now, or remember that it waits."""
        if self.sessions is not None:
            self.sessions.wake(consumer)
            return
        if not consumer.waiting and consumer.ready:
            consumer.waiting = True
            self._waiting.append(consumer)
        if self.active:
            self.pump()

    def pump(self) -> None:
        """Hand ready messages to waiting receivers, in sequence order, one each in turn (S-56)."""
        waiting = self._waiting
        if self.forwarder is not None:
            self.forwarder.run()
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
            message = self._next_ready(now, self._fresh, self._returned)
            if message is None:
                return
            if len(waiting) > 1:
                waiting.rotate(-1)
            self._hand_over(message, consumer, now)

    def serve_session(self, session: MessageSession, now: float) -> None:
        """Hand the ready messages of a session to its holder, in sequence order (S-62)."""
        holder = session.holder
        while holder is not None and holder.ready and session.filled:
            message = self._next_ready(now, session.fresh, session.returned)
            if message is None:
                return
            self._hand_over(message, holder, now)

    def _hand_over(self, message: Message, consumer: Consumer, now: float) -> None:
        if consumer.peek_lock:
            self._lock(message, consumer.name, now)
        else:
            self._record(now, EventKind.RECEIVED_AND_DELETED, message, consumer.name)
            self._remove_taken(message)
        consumer.deliver(message)

    def take_next(self, now: float) -> Message | None:
        """Take the next ready message out, for a forwarder: `put_back` returns it, `forwarded` lets it go."""
        return self._next_ready(now, self._fresh, self._returned) if self.active else None

    def put_back(self, message: Message, now: float) -> None:
        """Return a message that `take_next` gave out."""
        self._give_back(message, now)

    def forwarded(self, message: Message, now: float, target: str) -> None:
        """Forget a message that `take_next` gave out: it goes to `target` (S-67)."""
        self._record(now, EventKind.FORWARDED, message, None, {"to": target})
        self._remove_taken(message)

    def bury_taken(self, message: Message, now: float, reason: str, text: str) -> None:
        """Move a message that `take_next` gave out to the dead-letter queue."""
        message.state = LOCKED
        self._bury(message, now, reason, text, message.delivery_count + 1)

    def _remove_taken(self, message: Message) -> None:
        """Forget a message that `_next_ready` gave out: it is not counted as active any more."""
        message.state = LOCKED
        self._forget(message)

    def _next_ready(self, now: float, fresh: deque[Message], returned: list[Message]) -> Message | None:
        while True:
            if returned and (not fresh or returned[0] < fresh[0]):
                message = heapq.heappop(returned)
            elif fresh:
                message = fresh.popleft()
                if message.state is not ACTIVE:
                    self._gone_in_fresh -= 1
                    continue
            else:
                return None
            if message.state is not ACTIVE:
                continue
            self.active -= 1
            if message.expires_at is not None:
                self._expiries.discard()
                if message.expires_at <= now:
                    self.active += 1
                    self._expire(message, now, popped=True)
                    continue
            return message

    def _lock(self, message: Message, consumer: str | None, now: float) -> None:
        message.state = LOCKED
        until = now + self._lock_duration if self.sessions is None else self.sessions.lock(message)
        message.locked_until = until
        message.token = token = _random_bits(128).to_bytes(16, "big")
        message.consumer = consumer
        self._locks[token] = message
        if self.journal is not None:
            self.journal.moved(self, message)
        self._ledger.record(
            now, self.name, _DELIVERED, message.sequence, message.content.message_id,
            message.delivery_count + 1, consumer, None, {"locked_until": until},
        )  # fmt: skip
        if until < self.armed:
            self.arm(until)

    def _fail(self, message: Message, now: float) -> None:
        """A delivery came to nothing: count it, then return the message or bury it."""
        message.delivery_count += 1
        if (
            self.dead_letters is not None
            and not message.deferred
            and message.delivery_count >= self.settings.max_delivery_count
        ):
            text = f"Message could not be consumed after {self.settings.max_delivery_count} delivery attempts."
            self._bury(message, now, "MaxDeliveryCountExceeded", text, message.delivery_count)
        else:
            self._give_back(message, now)

    def session_set(self, session: MessageSession) -> None:
        """Note that the state of a session has changed."""
        if self.journal is not None:
            self.journal.session_set(self, session)

    def take_back(self, message: Message, now: float, *, failed: bool) -> None:
        """End the lock of a session's message: with the session's lock (`failed`), or because its holder has left."""
        del self._locks[message.token]
        self._record(now, EventKind.LOCK_EXPIRED if failed else EventKind.RELEASED, message, message.consumer)
        if failed:
            self._fail(message, now)
        else:
            self._give_back(message, now)

    def _give_back(self, message: Message, now: float) -> None:
        if self.journal is not None:
            self.journal.moved(self, message)
        if message.deferred:
            message.state = DEFERRED
            self.deferred += 1
            return
        message.state = ACTIVE
        self.active += 1
        if message.expires_at is not None:
            if message.expires_at <= now:
                self._expire(message, now, popped=True)
                return
            self._expiries.add(message.expires_at, message)
            self.arm(message.expires_at)
        if self.sessions is None:
            heapq.heappush(self._returned, message)
        else:
            self.sessions.give_back(message)

    def _bury(
        self,
        message: Message,
        now: float,
        reason: str | None,
        description: str | None,
        delivery: int,
        properties: dict[str, Any] | None = None,
    ) -> None:
        assert self.dead_letters is not None
        details = {"reason": reason, "description": description}
        content = message.content
        self._ledger.record(
            now,
            self.name,
            EventKind.DEAD_LETTERED,
            message.sequence,
            content.message_id,
            delivery,
            message.consumer,
            None,
            details,
        )
        self._forget(message)
        added = dict(properties or {})
        if reason is not None:
            added["DeadLetterReason"] = reason
        if description is not None:
            added["DeadLetterErrorDescription"] = description
        self.dead_letters.accept_dead(message, content.updated(added) if added else content, now)

    def accept_dead(self, source: Message, content: Content, now: float) -> None:
        """Take a message that another entity has given up; it keeps its delivery count."""
        details = {"dead_letter_source": source.sequence}
        message = self._add(content, now, EventKind.ENQUEUED, details)
        message.delivery_count = source.delivery_count
        message.hops = source.hops
        message.origin = source.sequence
        self.pump()

    def expire_due(self) -> None:
        """Do what the clock asks for: lost locks, scheduled messages, messages past their time to live."""
        now = self._now()
        if self.sessions is not None:
            self.sessions.expire_due(now)
        locks = self._locks
        while locks:
            message = next(iter(locks.values()))
            if message.locked_until > now:
                break
            locks.popitem(last=False)
            self._record(now, EventKind.LOCK_EXPIRED, message, message.consumer)
            self._fail(message, now)
        while (due := self._schedule.pop_due(now)) is not None:
            self._activate(due, now)
        while (due := self._expiries.pop_due(now)) is not None:
            self._expire(due, now)
        self.pump()

    def expire_locks(self, message_id: str | None = None) -> list[Message]:
        """End locks before their time, those of one message-id or all; with sessions, the locks of the sessions that hold
        them. It counts as any lock that ran out (S-49). Returns the messages."""
        now = self._now()
        chosen = [message for message in self._locks.values() if message_id in (None, message.content.message_id)]
        if self.sessions is not None:
            self.sessions.expire(now, None if message_id is None else {message.session_id or "" for message in chosen})
        else:
            for message in chosen:
                del self._locks[message.token]
                self._record(now, EventKind.LOCK_EXPIRED, message, message.consumer)
                self._fail(message, now)
        self.pump()
        return chosen

    def next_due(self) -> float:
        """Return the epoch second at which `expire_due` has something to do next; infinity when nothing waits."""
        due = NEVER
        if self._locks:
            due = next(iter(self._locks.values())).locked_until
        if self.sessions is not None:
            due = min(due, self.sessions.next_due())
        for other in (self._schedule.next_due(), self._expiries.next_due()):
            if other is not None and other < due:
                due = other
        return due

    def _expire(self, message: Message, now: float, *, popped: bool = False) -> None:
        if self.settings.dead_lettering_on_expiration and self.dead_letters is not None:
            text = "The message expired and was dead lettered."
            self._bury(message, now, "TTLExpiredException", text, message.delivery_count + 1)
        else:
            self._record(now, EventKind.EXPIRED, message, details={"reason": "TTLExpiredException"})
            self._forget(message)
        if not popped:
            self._leave_gap(message)

    @property
    def locked_count(self) -> int:
        """How many messages are locked now."""
        return len(self._locks)
