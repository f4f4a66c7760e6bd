"""What an entity keeps: its messages by number and in order, and the moments at which they become due.

Pure: the clock is given, and deadlines are announced through `arm`. Every operation costs O(1) or O(log n), whatever the
depth of the queue.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from peeklock.servicebus.ledger import EventKind, Ledger

from .clock import Clock
from .deadlines import Deadlines
from .duplicates import DuplicateHistory
from .message import ACTIVE, DEFERRED, GONE, LOCKED, LOCKED_DEFERRED, SCHEDULED, Content, Message
from .sequence import PartitionedIndex, SequenceIndex
from .session import Sessions
from .settings import Settings

if TYPE_CHECKING:
    from .journal import Journal
    from .partitions import Partitions

NEVER = float("inf")
_ACTIVATED = EventKind.ACTIVATED  # in Python 3.11 looking up a member of an enum costs as much as recording an entry
_PARTITIONS = 16


class Backlog:
    """The messages of one entity, whatever their state. `arm(entity, when)` is called when something becomes due earlier than
    announced before."""

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
        self.armed = NEVER
        self.journal: Journal | None = None
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
        self._expiries = Deadlines(lambda message: message.expires_at if message.state is ACTIVE else None)
        self._schedule = Deadlines(lambda message: message.content.scheduled_at if message.state is SCHEDULED else None)
        self._scheduled = 0
        window = settings.duplicate_detection_window
        self._history = None if window is None or self.is_dead_letter else DuplicateHistory(window)
        self._lock_duration = settings.lock_duration
        self.sessions: Sessions | None = None
        self.partitions: Partitions | None = None
        self._max_bytes = _max_bytes(settings)
        self._max_message_bytes = settings.max_message_size_in_kilobytes << 10

    def divide(self, *, inherits: bool) -> None:
        """Spread the messages of an entity that has none yet over partitions (S-53)."""
        from .partitions import Partitions  # here: few entities have them

        self.partitions = Partitions(inherits=inherits, by_message_id=self._history is not None)
        self._index = PartitionedIndex()

    def reconfigure(self, settings: Settings) -> None:
        """Take new settings: they hold for what comes, and what is stored keeps its deadlines. Whether there are sessions,
        and a duplicate history, is settled when an entity is made (S-57)."""
        self.settings = settings
        self._lock_duration = settings.lock_duration
        self._max_bytes = _max_bytes(settings)
        self._max_message_bytes = settings.max_message_size_in_kilobytes << 10
        if self._history is not None and settings.duplicate_detection_window is not None:
            self._history.window = settings.duplicate_detection_window
        if self.sessions is not None:
            self.sessions.lock_duration = settings.lock_duration

    def _add(
        self,
        content: Content,
        now: float,
        event: EventKind = EventKind.ENQUEUED,
        details: dict[str, Any] | None = None,
        since: float | None = None,
    ) -> Message:
        """Put a new message at the end, enqueued now or at `since`; `pump` is the caller's."""
        born = now if since is None else since
        number = self._next_sequence
        self._next_sequence = number + 1
        if self.partitions is not None:
            number = self.partitions.number(content, number)
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
        carried = None if event is _ACTIVATED else content
        self._ledger.record(now, self.name, event, number, content.message_id, 1, None, carried, details)
        if self.journal is not None:
            self.journal.added(self, message)
        if expires_at is not None:
            self._expiries.add(expires_at, message)
            self.arm(expires_at)
        return message

    def _add_scheduled(self, content: Content, at: float, now: float, number: int | None = None) -> int:
        if not self._is_new(content, now):
            return 0
        if number is None:
            number = self._next_sequence
            self._next_sequence = number + 1
            if self.partitions is not None:
                number = self.partitions.number(content, number)
        content.scheduled_at = at
        default = self.settings.default_time_to_live
        if default is not None and (content.ttl is None or default < content.ttl):
            content.limit_ttl(default)  # now, as the ledger's entry has the message as it is: it must not change later
        message = Message(content, number, now, None)
        message.state = SCHEDULED
        self._index.add(message)
        self._scheduled += 1
        self.size_in_bytes += content.size
        self._schedule.add(at, message)
        if self.journal is not None:
            self.journal.added(self, message)
        details = {"scheduled_at": at}
        self._ledger.record(now, self.name, EventKind.SCHEDULED, number, content.message_id, 1, None, content, details)
        self.arm(at)
        return number

    def _is_new(self, content: Content, now: float) -> bool:
        if self._history is None:
            return True
        key = content.message_id if self.partitions is None else self.partitions.duplicate_key(content)
        if self._history.is_new(key, now):
            if self.journal is not None:
                self.journal.remembered(self, key, now)
            return True
        self._ledger.record(now, self.name, EventKind.DUPLICATE_DROPPED, 0, content.message_id, 1, None, content)
        return False

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
        self._add(content, now, EventKind.ACTIVATED, details, since=content.scheduled_at)

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

    def restore(self, messages: Sequence[Message], next_sequence: int, history: Sequence[tuple[str, float]]) -> None:
        """Take what a store has kept, messages by their numbers and the duplicate history by age, into an entity that is new.
        Locks hold on, but those of a session, whose holder has gone with its connection (S-46, S-49)."""
        self._next_sequence = next_sequence
        if self._history is not None:
            self._history.restore(history)
        if self.partitions is not None:
            messages = sorted(messages)
        for message in messages:
            self._index.add(message)
            self.size_in_bytes += message.content.size
            if self.sessions is not None:
                message.session_id = message.content.session_id or ""
            if message.state in (LOCKED, LOCKED_DEFERRED) and self.sessions is not None:
                self._record(self._now(), EventKind.RELEASED, message, message.consumer, {"reason": "Restarted"})
                message.state = DEFERRED if message.deferred else ACTIVE
            if message.state is ACTIVE:
                self._restore_active(message)
            elif message.state is DEFERRED:
                self.deferred += 1
            elif message.state is SCHEDULED:
                self._scheduled += 1
                self._schedule.add(message.content.scheduled_at, message)
        for message in sorted(
            (m for m in messages if m.state in (LOCKED, LOCKED_DEFERRED)), key=lambda m: m.locked_until
        ):
            self._locks[message.token] = message

    def _restore_active(self, message: Message) -> None:
        self.active += 1
        if self.sessions is None:
            self._fresh.append(message)
        else:
            self.sessions.add(message)
        if message.expires_at is not None:
            self._expiries.add(message.expires_at, message)

    @property
    def next_sequence(self) -> int:
        """The number that the next message gets."""
        return self._next_sequence

    @property
    def scheduled_count(self) -> int:
        """How many messages wait for their scheduled time."""
        return self._scheduled

    def purge(self) -> int:
        """Drop every message and the duplicate history; receivers keep their credit. Returns how many went."""
        count = len(self._index)
        self._index = type(self._index)()
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
        if self.journal is not None:
            self.journal.emptied(self)
        if count:
            self._ledger.record_entity(self._now(), self.name, EventKind.PURGED, {"count": count})
        return count

    def _record(
        self,
        now: float,
        event: EventKind,
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
        if self.journal is not None:
            self.journal.gone(self, message)


def _max_bytes(settings: Settings) -> int:
    """Return how much an entity takes: so much in each of its partitions, when it has them (S-86)."""
    return (settings.max_size_in_megabytes << 20) * (_PARTITIONS if settings.partitioned else 1)
