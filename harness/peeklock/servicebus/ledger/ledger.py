"""The ledger of one namespace: everything that happened in it, in order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from operator import itemgetter
from typing import Any, assert_never

from .entry import AboutEntity, AboutMessage, AboutSession, Content, Entry, Subject
from .kinds import EventKind

DEFAULT_CAP = 100_000
DEFAULT_CAP_BYTES = 256 << 20
_SLACK = 4
"""Entries are dropped by 1/2^4 of the cap at once: doing so at each would cost as much as recording."""

Details = Mapping[str, Any]
Row = tuple[float, str, EventKind, int | None, str | None, int, str | None, Content | None, Details | None]
"""An entry before anybody reads it: recording is one tuple and one append. Without a sequence number (None) it is about the session
whose id stands in the place of the message-id, or, when that is None too, about the entity."""
_ENTITY_AND_EVENT: Callable[[Any], tuple[str, EventKind]] = itemgetter(1, 2)


class Ledger:
    """Keeps the newest entries: `cap` of them, and `cap_bytes` of message content; at times a sixteenth more, as the oldest are
    dropped together."""

    def __init__(self, cap: int = DEFAULT_CAP, cap_bytes: int = DEFAULT_CAP_BYTES) -> None:
        self.dropped = 0
        """How many of the oldest entries the caps have cost."""
        self._cap = cap
        self._cap_bytes = cap_bytes
        self._most = cap + (cap >> _SLACK)
        self._most_bytes = cap_bytes + (cap_bytes >> _SLACK)
        self._bytes = 0
        self._counted = 0
        self._counts: Counter[tuple[str, EventKind]] = Counter()
        self._rows: list[Row] = []
        self._waiters: list[Callable[[], None]] = []

    def record(
        self,
        at: float,
        entity: str,
        event: EventKind,
        sequence: int,
        message_id: str,
        delivery: int,
        consumer: str | None = None,
        content: Content | None = None,
        details: Details | None = None,
    ) -> None:
        """Tell what happened to a message; `content` only with the entry with which it comes into being."""
        self.append((at, entity, event, sequence, message_id, delivery, consumer, content, details))

    def record_session(
        self, at: float, entity: str, event: EventKind, session_id: str, consumer: str | None, details: Details
    ) -> None:
        """Tell what happened to a session."""
        self.append((at, entity, event, None, session_id, 0, consumer, None, details))

    def record_entity(self, at: float, entity: str, event: EventKind, details: Details) -> None:
        """Tell what happened to an entity, or in the namespace."""
        self.append((at, entity, event, None, None, 0, None, None, details))

    def append(self, row: Row) -> None:
        """Add an entry as it is kept: what `record` does, for who has to be fast."""
        rows, content = self._rows, row[7]
        rows.append(row)
        if content is not None:
            self._bytes += content.size
        if self._waiters or len(rows) > self._most or self._bytes > self._most_bytes:
            self._recorded()

    def _recorded(self) -> None:
        """Keep to the caps, and wake who waits."""
        if len(self._rows) > self._most or self._bytes > self._most_bytes:
            self._drop()
        if self._waiters:
            waiters, self._waiters = self._waiters, []
            for wake in waiters:
                wake()

    def _drop(self) -> None:
        self._count()
        rows, held = self._rows, len(self._rows)
        for row in rows:
            if held <= self._cap and (self._bytes <= self._cap_bytes or held == 1):
                break
            held -= 1
            if row[7] is not None:
                self._bytes -= row[7].size
        self.dropped += len(rows) - held
        del rows[: len(rows) - held]

    @property
    def cursor(self) -> int:
        """The number of the newest entry; 0 when there is none yet."""
        return self.dropped + len(self._rows)

    def entries(self, after: int = 0, limit: int | None = None) -> list[Entry]:
        """Return the entries numbered above `after`, oldest first, at most `limit` of them. Costs as much as it returns."""
        start = max(after, self.dropped)
        return [_entry(number, row) for number, row in enumerate(self._slice(start, limit), start + 1)]

    def about(self, message_id: str) -> list[Entry]:
        """Return the entries about messages of this id, in every entity, oldest first. Looks at all that are kept."""
        rows = enumerate(self._rows, self.dropped + 1)
        return [_entry(number, row) for number, row in rows if row[4] == message_id and row[3] is not None]

    def _slice(self, after: int, limit: int | None = None) -> list[Row]:
        first = after - self.dropped
        return self._rows[first : None if limit is None else first + limit]

    def counts(self) -> Mapping[tuple[str, EventKind], int]:
        """Return how often each event has happened in each entity (its name as in the entries), dropped entries included."""
        self._count()
        return self._counts

    def forget_counts(self, entity: str) -> None:
        """Count an entity that is no more no longer."""
        self._count()
        for key in [key for key in self._counts if key[0] == entity]:
            del self._counts[key]

    def _count(self) -> None:
        """Count what came since the last time: when somebody asks, or before it is dropped. Recording costs nothing more."""
        self._counts.update(map(_ENTITY_AND_EVENT, self._slice(self._counted)))
        self._counted = self.cursor

    def restore(self, cursor: int, entries: Iterable[Entry]) -> None:
        """Take the newest entries that a store has kept, the last of them numbered `cursor`."""
        self._rows = [_row(entry) for entry in entries]
        self._bytes = sum(row[7].size for row in self._rows if row[7] is not None)
        self._counted = cursor
        self.dropped = cursor - len(self._rows)

    def notify(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Call `wake` once, at the next entry; return what takes the wish back."""
        self._waiters.append(wake)

        def forget() -> None:
            if wake in self._waiters:
                self._waiters.remove(wake)

        return forget


def _entry(number: int, row: Row) -> Entry:
    at, entity, event, sequence, name, delivery, consumer, content, details = row
    subject: Subject
    if name is None:
        subject = AboutEntity()
    elif sequence is None:
        subject = AboutSession(name, consumer)
    else:
        subject = AboutMessage(sequence, name, delivery, consumer, content)
    return Entry(number, at, entity, event, subject, details or {})


def _row(entry: Entry) -> Row:
    place, details, subject = (entry.at, entry.entity, entry.event), entry.details, entry.subject
    match subject:
        case AboutMessage(sequence, message_id, delivery, consumer, content):
            return (*place, sequence, message_id, delivery, consumer, content, details)
        case AboutSession(session_id, consumer):
            return (*place, None, session_id, 0, consumer, None, details)
        case AboutEntity():
            return (*place, None, None, 0, None, None, details)
        case _:
            assert_never(subject)
