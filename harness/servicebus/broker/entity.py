"""What an entity holds: its messages, their order, their locks and their deadlines.

Pure: the clock is given, deadlines are announced through `arm`, and receivers are told through `Consumer.deliver`.
Every operation costs O(1) or O(log n), whatever the depth of the queue.
"""

from __future__ import annotations

import heapq
import random
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any

from .clock import Clock
from .consumer import Consumer
from .deadlines import Deadlines
from .duplicates import DuplicateHistory
from .forwarding import Forwarder
from .ledger import Ledger
from .message import ACTIVE, DEFERRED, GONE, LOCKED, SCHEDULED, Content, Message
from .sequence import SequenceIndex
from .session import MessageSession, Sessions
from .settings import Settings

_NEVER = float("inf")
_random_bits = random.getrandbits


class Entity:
    """The storage and the timing of one queue; `Queue` adds what clients may ask for. `arm(entity, when)` is called when
    something becomes due earlier than announced before."""

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
        self.name = name
        self.settings = settings
        self.is_dead_letter = is_dead_letter
        self.dead_letters: Entity | None = None
        self.consumers: set[Consumer] = set()
        self.armed = _NEVER
        self.size_in_bytes = 0
        self.active = self.deferred = 0
        self._now = clock.now
        self._ledger = ledger
        self._arm_owner = arm
        self._index = SequenceIndex()
        self._next_sequence = 1
        self._fresh: deque[Message] = deque()
        self._returned: list[Message] = []
        self._gone_in_fresh = 0
        self._locks: OrderedDict[bytes, Message] = OrderedDict()
        self._expiries = Deadlines(lambda m, when: m.state is ACTIVE and m.expires_at == when)
        self._schedule = Deadlines(lambda m, _: m.state is SCHEDULED)
        self._scheduled = 0
        self._waiting: deque[Consumer] = deque()
        window = settings.duplicate_detection_window
        self._history = None if window is None or self.is_dead_letter else DuplicateHistory(window)
        self._lock_duration = settings.lock_duration
        self.forwarder: Forwarder | None = None
        self.sessions: Sessions | None = None
        if settings.requires_session and not is_dead_letter:
            self.sessions = Sessions(self, settings.lock_duration, clock, ledger)
        self._max_bytes = settings.max_size_in_megabytes << 20
        self._max_message_bytes = settings.max_message_size_in_kilobytes << 10

    def reconfigure(self, settings: Settings) -> None:
        """Take new settings: they hold for what comes, and what is stored keeps its deadlines. Whether there are sessions,
        and a duplicate history, is settled when an entity is made (S-57)."""
        self.settings = settings
        self._lock_duration = settings.lock_duration
        self._max_bytes = settings.max_size_in_megabytes << 20
        self._max_message_bytes = settings.max_message_size_in_kilobytes << 10
        if self._history is not None and settings.duplicate_detection_window is not None:
            self._history.window = settings.duplicate_detection_window
        if self.sessions is not None:
            self.sessions.lock_duration = settings.lock_duration
        if self.dead_letters is not None:
            self.dead_letters.reconfigure(settings)

    def _add(
        self,
        content: Content,
        now: float,
        event: str = "enqueued",
        details: dict[str, Any] | None = None,
        since: float | None = None,
    ) -> Message:
        """Put a new message at the end, enqueued now or at `since`; `pump` is the caller's."""
        born = now if since is None else since
        number = self._next_sequence
        self._next_sequence = number + 1
        expires_at = None
        if not self.is_dead_letter:
            ttl, default = content.ttl, self.settings.default_time_to_live
            if default is not None and (ttl is None or default < ttl):
                content.limit_ttl(default)
                ttl = default
            if ttl is not None:
                expires_at = born + ttl
        message = Message(content, number, born, expires_at)
        self._index.add(message)
        if self.sessions is None:
            self._fresh.append(message)
        else:
            self.sessions.add(message)
        self.size_in_bytes += content.size
        self.active += 1
        carried = None if event == "activated" else content
        self._ledger.record(now, self.name, event, number, content.message_id, 1, None, carried, details)
        if expires_at is not None:
            self._expiries.add(expires_at, message)
            self.arm(expires_at)
        return message

    def _add_scheduled(self, content: Content, at: float, now: float) -> int:
        if not self._is_new(content, now):
            return 0
        number = self._next_sequence
        self._next_sequence = number + 1
        content.scheduled_at = at
        message = Message(content, number, now, None)
        message.state = SCHEDULED
        self._index.add(message)
        self._scheduled += 1
        self.size_in_bytes += content.size
        self._schedule.add(at, message)
        details = {"scheduled_at": at}
        self._ledger.record(now, self.name, "scheduled", number, content.message_id, 1, None, content, details)
        self.arm(at)
        return number

    def _is_new(self, content: Content, now: float) -> bool:
        if self._history is None or self._history.is_new(content.message_id, now):
            return True
        self._ledger.record(now, self.name, "duplicate_dropped", 0, content.message_id, 1, None, content)
        return False

    def add_consumer(self, consumer: Consumer) -> None:
        """Let a receiver in; it is served after `wake`."""
        self.consumers.add(consumer)

    def remove_consumer(self, consumer: Consumer) -> None:
        """A receiver has gone. What it holds stays locked until its time is over (S-46)."""
        self.consumers.discard(consumer)
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
            self._record(now, "received_and_deleted", message, consumer.name)
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
        self._record(now, "forwarded", message, None, {"to": target})
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
            if returned and (not fresh or returned[0].sequence < fresh[0].sequence):
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
        self._ledger.record(
            now, self.name, "delivered", message.sequence, message.content.message_id,
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

    def take_back(self, message: Message, now: float, *, failed: bool) -> None:
        """End the lock of a session's message: with the session's lock (`failed`), or because its holder has left."""
        del self._locks[message.token]
        self._record(now, "lock_expired" if failed else "released", message, message.consumer)
        if failed:
            self._fail(message, now)
        else:
            self._give_back(message, now)

    def _give_back(self, message: Message, now: float) -> None:
        if message.deferred:
            message.deferred = False
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
            "dead_lettered",
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
        message = self._add(content, now, "enqueued", details)
        message.delivery_count = source.delivery_count
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
            self._record(now, "lock_expired", message, message.consumer)
            self._fail(message, now)
        while (due := self._schedule.pop_due(now)) is not None:
            self._activate(due, now)
        while (due := self._expiries.pop_due(now)) is not None:
            self._expire(due, now)
        self.pump()

    def next_due(self) -> float:
        """Return the epoch second at which `expire_due` has something to do next; infinity when nothing waits."""
        due = _NEVER
        if self._locks:
            due = next(iter(self._locks.values())).locked_until
        if self.sessions is not None:
            due = min(due, self.sessions.next_due())
        for other in (self._schedule.next_due(), self._expiries.next_due()):
            if other is not None and other < due:
                due = other
        return due

    def arm(self, when: float) -> None:
        """Announce a moment at which `expire_due` is to be called."""
        if when < self.armed:
            self.armed = when
            self._arm_owner(self, when)

    def _activate(self, message: Message, now: float) -> None:
        content = message.content
        details = {"scheduled_sequence": message.sequence}
        self._forget(message, due=True)
        # the clock may have jumped past it: its life begins at the moment that was asked for
        self._add(content, now, "activated", details, since=content.scheduled_at)

    def _expire(self, message: Message, now: float, *, popped: bool = False) -> None:
        if self.settings.dead_lettering_on_expiration and self.dead_letters is not None:
            text = "The message expired and was dead lettered."
            self._bury(message, now, "TTLExpiredException", text, message.delivery_count + 1)
        else:
            self._record(now, "expired", message, details={"reason": "TTLExpiredException"})
            self._forget(message)
        if not popped:
            self._leave_gap(message)

    def _drop_ready(self, message: Message) -> None:
        """Remove a message that waits for a receiver, wherever it stands."""
        if message.expires_at is not None:
            self._expiries.discard()
        self._forget(message)
        self._leave_gap(message)

    def _leave_gap(self, message: Message) -> None:
        """A message has gone from the middle of the queue; when many have, close the gaps."""
        if self.sessions is not None:
            self.sessions.gone(message)
            return
        self._gone_in_fresh += 1
        if self._gone_in_fresh > 1024 and self._gone_in_fresh * 2 > len(self._fresh):
            self._fresh = deque(m for m in self._fresh if m.state is ACTIVE)
            self._gone_in_fresh = 0

    @property
    def locked_count(self) -> int:
        """How many messages are locked now."""
        return len(self._locks)

    @property
    def scheduled_count(self) -> int:
        """How many messages wait for their scheduled time."""
        return self._scheduled

    def purge(self) -> int:
        """Drop every message and the duplicate history; receivers keep their credit. Returns how many went."""
        count = len(self._index)
        self._index = SequenceIndex()
        self._fresh.clear()
        self._returned.clear()
        self._locks.clear()
        self._expiries.clear()
        self._schedule.clear()
        self._gone_in_fresh = self._scheduled = self.active = self.deferred = self.size_in_bytes = 0
        if self._history is not None:
            self._history.clear()
        if self.sessions is not None:
            self.sessions.purge()
        if count:
            self._ledger.record(self._now(), self.name, "purged", 0, "", 0, None, None, {"count": count})
        return count

    def _record(
        self,
        now: float,
        event: str,
        message: Message,
        consumer: str | None = None,
        details: dict[str, Any] | None = None,
    ) -> None:
        self._ledger.record(
            now, self.name, event, message.sequence, message.content.message_id, message.delivery_count + 1,
            consumer, None, details,
        )  # fmt: skip

    def _forget(self, message: Message, *, due: bool = False) -> None:
        self._index.drop(message.sequence)
        self.size_in_bytes -= message.content.size
        if message.state is ACTIVE:
            self.active -= 1
        elif message.state is SCHEDULED:
            self._scheduled -= 1
            if not due:
                self._schedule.discard()
        message.state = GONE
