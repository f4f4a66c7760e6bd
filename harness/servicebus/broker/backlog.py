"""What an entity keeps: its messages by number and in order, and the moments at which they become due.

Pure: the clock is given, and deadlines are announced through `arm`. Every operation costs O(1) or O(log n), whatever the
depth of the queue.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any

from .clock import Clock
from .deadlines import Deadlines
from .duplicates import DuplicateHistory
from .ledger import Ledger
from .message import ACTIVE, GONE, SCHEDULED, Content, Message
from .sequence import SequenceIndex
from .session import Sessions
from .settings import Settings

NEVER = float("inf")


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
        window = settings.duplicate_detection_window
        self._history = None if window is None or self.is_dead_letter else DuplicateHistory(window)
        self._lock_duration = settings.lock_duration
        self.sessions: Sessions | None = None
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
