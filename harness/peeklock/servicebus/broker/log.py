"""The messages of one entity: what is there, under which number, in which state, and when it becomes due."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from peeklock.servicebus.ledger import EventKind, Ledger

from .deadlines import Deadlines
from .journal import Journal
from .message import ACTIVE, DEFERRED, GONE, SCHEDULED, Content, Message
from .partitions import Partitions
from .sequence import PartitionedIndex, SequenceIndex
from .timers import NEVER, Timer


class MessageLog:
    """Every message comes in by `add`, changes its state by `move` and leaves by `drop`; the counts, the deadlines and the journal
    follow from that. Every operation is O(1) or O(log n), whatever the depth of the queue."""

    __slots__ = (
        "_expiring", "_index", "_ledger", "_next", "_scheduled", "_timer",
        "active", "deferred", "journal", "name", "partitions", "scheduled", "size_in_bytes",
    )  # fmt: skip

    def __init__(self, name: str, ledger: Ledger, timer: Timer, partitions: Partitions | None = None) -> None:
        self.name = name
        self.partitions = partitions
        self.journal: Journal | None = None
        self.size_in_bytes = 0
        self.active = self.deferred = self.scheduled = 0
        self._ledger = ledger
        self._timer = timer
        self._next = 1
        self._index = SequenceIndex() if partitions is None else PartitionedIndex()
        self._expiring = Deadlines(lambda message: message.expires_at if message.state is ACTIVE else None)
        self._scheduled = Deadlines(
            lambda message: message.content.scheduled_at if message.state is SCHEDULED else None
        )

    def __len__(self) -> int:
        return len(self._index)

    # -- numbers

    @property
    def next_sequence(self) -> int:
        """The number that the next message gets, without its partition."""
        return self._next

    def number(self, content: Content) -> int:
        """Take the sequence number of a message that comes now (S-53)."""
        number = self._next
        self._next = number + 1
        return number if self.partitions is None else self.partitions.number(content, number)

    def reserve(self, contents: Sequence[Content], *, via: bool = False) -> list[int]:
        """Take sequence numbers for messages that come later, or, with `via`, only pass through."""
        first = self._next
        self._next = first + len(contents)
        if self.journal is not None:
            self.journal.numbered()
        if self.partitions is not None:
            choose = self.partitions.reserve
            return [choose(content, first + index, via=via) for index, content in enumerate(contents)]
        return list(range(first, first + len(contents)))

    # -- messages

    def add(self, message: Message) -> None:
        """Take a message in."""
        self._index.add(message)
        self.size_in_bytes += message.content.size
        state = message.state
        if state is ACTIVE:
            self.active += 1
            if message.expires_at is not None:
                self._expire_at(message.expires_at, message)
        elif state is DEFERRED:
            self.deferred += 1
        elif state is SCHEDULED:
            self.scheduled += 1
            at = message.content.scheduled_at
            self._scheduled.add(at, message)
            self._timer.arm(at)
        if self.journal is not None:
            self.journal.added(message)

    def move(self, message: Message, state: str) -> None:
        """Give a message that was taken off its line, or that was locked or deferred, another state, or another lock."""
        before, message.state = message.state, state
        if before is ACTIVE:
            self.active -= 1
            if message.expires_at is not None:
                self._expiring.discard()
        elif before is DEFERRED:
            self.deferred -= 1
        if state is ACTIVE:
            self.active += 1
            if message.expires_at is not None:
                self._expire_at(message.expires_at, message)
        elif state is DEFERRED:
            self.deferred += 1
        if self.journal is not None:
            self.journal.moved(message)

    def revise(self, message: Message, content: Content) -> None:
        """Give a message another content."""
        self.size_in_bytes += content.size - message.content.size
        message.content = content
        if self.journal is not None:
            self.journal.revised(message)

    def drop(self, message: Message) -> None:
        """Let a message go, whatever its state."""
        self._index.drop(message.sequence)
        self.size_in_bytes -= message.content.size
        before, message.state = message.state, GONE
        if before is ACTIVE:
            self.active -= 1
            if message.expires_at is not None:
                self._expiring.discard()
        elif before is SCHEDULED:
            self.scheduled -= 1
            self._scheduled.discard()
        elif before is DEFERRED:
            self.deferred -= 1
        if self.journal is not None:
            self.journal.gone(message)

    def _expire_at(self, when: float, message: Message) -> None:
        self._expiring.add(when, message)
        self._timer.arm(when)

    @property
    def locked(self) -> int:
        """How many messages receivers have."""
        return len(self._index) - self.active - self.deferred - self.scheduled

    def get(self, number: int) -> Message | None:
        """Return the message with that number, or None."""
        return self._index.get(number)

    def scan(self, start: int) -> Iterator[Message]:
        """Yield the messages from a number on, in order, whatever their state."""
        return self._index.scan(start)

    def restore(self, messages: Iterable[Message], next_sequence: int) -> None:
        """Take what a store has kept into an entity that is new, and that nobody follows yet."""
        self._next = next_sequence
        for message in sorted(messages):
            self.add(message)

    def clear(self, now: float) -> int:
        """Let everything go; return how many messages went."""
        count = len(self._index)
        self._index = SequenceIndex() if self.partitions is None else PartitionedIndex()
        self._expiring.clear()
        self._scheduled.clear()
        self.active = self.deferred = self.scheduled = self.size_in_bytes = 0
        if self.journal is not None:
            self.journal.emptied()
        if count:
            self._ledger.record_entity(now, self.name, EventKind.PURGED, {"count": count})
        return count

    # -- time

    def due(self, now: float) -> Message | None:
        """Return the next scheduled message whose time has come, or None; it has to be dropped."""
        return self._scheduled.due(now)

    def expired(self, now: float) -> Message | None:
        """Return the next active message whose time to live is over, or None; it has to be dropped."""
        return self._expiring.due(now)

    def next_due(self) -> float:
        """Return when there is one, in epoch seconds."""
        moments = [when for when in (self._scheduled.next_due(), self._expiring.next_due()) if when is not None]
        return min(moments, default=NEVER)

    # -- the ledger

    def record(
        self,
        now: float,
        event: EventKind,
        message: Message,
        consumer: str | None = None,
        details: Mapping[str, Any] | None = None,
        content: Content | None = None,
    ) -> None:
        """Tell what happened to a message; `content` only with the entry with which it comes into being."""
        self._ledger.append(
            (now, self.name, event, message.sequence, message.content.message_id, message.delivery_count + 1,
             consumer, content, details)
        )  # fmt: skip

    def record_duplicate(self, now: float, content: Content) -> None:
        """Tell of a message that was not taken, as it was sent before."""
        self._ledger.record(now, self.name, EventKind.DUPLICATE_DROPPED, 0, content.message_id, 1, None, content)

    def record_session(
        self, now: float, event: EventKind, session_id: str, consumer: str | None, details: Mapping[str, Any]
    ) -> None:
        """Tell what happened to a session."""
        self._ledger.record_session(now, self.name, event, session_id, consumer, details)
