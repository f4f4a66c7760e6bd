"""The ledger: everything that ever happened to the messages of a namespace, in order.

Recording is one tuple and one append; entries become dictionaries only when somebody reads them. The oldest are
dropped past `cap` entries or past `cap_bytes` of message content.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from operator import itemgetter
from typing import Any

DEFAULT_CAP = 100_000
DEFAULT_CAP_BYTES = 256 << 20

Record = tuple[float, str, str, int, str, int, str | None, Any, "dict[str, Any] | None"]
_ENTITY_AND_EVENT: Callable[[Record], tuple[str, str]] = itemgetter(1, 2)
Describe = Callable[[Any], dict[str, Any]]


class Ledger:
    """The history of one namespace. `describe` renders a message's content for the entries that carry it."""

    def __init__(
        self, describe: Describe | None = None, cap: int = DEFAULT_CAP, cap_bytes: int = DEFAULT_CAP_BYTES
    ) -> None:
        self.cursor = 0
        """The number of the newest entry; 0 when there is none yet."""
        self.dropped = 0
        """How many of the oldest entries the caps have cost."""
        self._describe = describe
        self._cap = cap
        self._cap_bytes = cap_bytes
        self._bytes = 0
        self._counted = 0
        self._counts: Counter[tuple[str, str]] = Counter()
        self._records: deque[Record] = deque()
        self._waiters: list[Callable[[], None]] = []

    def record(
        self,
        at: float,
        queue: str,
        event: str,
        sequence: int,
        message_id: str,
        delivery: int,
        consumer: str | None = None,
        content: Any = None,
        details: dict[str, Any] | None = None,
    ) -> None:
        """Add an entry; `content` only where the entry shall carry the message."""
        records = self._records
        records.append((at, queue, event, sequence, message_id, delivery, consumer, content, details))
        self.cursor += 1
        if content is not None:
            self._bytes += content.size
        while len(records) > self._cap or (self._bytes > self._cap_bytes and len(records) > 1):
            if self._counted <= self.dropped:
                self._count()
            gone = records.popleft()
            self.dropped += 1
            if gone[7] is not None:
                self._bytes -= gone[7].size
        if self._waiters:
            waiters, self._waiters = self._waiters, []
            for wake in waiters:
                wake()

    def entries(self, after: int = 0, limit: int | None = None) -> list[dict[str, Any]]:
        """Return the entries numbered above `after`, oldest first, at most `limit` of them."""
        records = self._records
        first = self.cursor - len(records)
        start = max(0, after - first)
        if start * 2 > len(records):  # who follows the ledger wants the last few: they are nearer to the end
            chosen = list(islice(reversed(records), max(0, len(records) - start)))[::-1][:limit]
        else:
            chosen = list(islice(records, start, None if limit is None else start + limit))
        return [self._render(first + index + 1, record) for index, record in enumerate(chosen, start)]

    def counts(self) -> dict[tuple[str, str], int]:
        """Return how often each event has happened in each entity (its name as in the entries), dropped entries included."""
        self._count()
        return self._counts

    def forget_counts(self, queue: str) -> None:
        """Count an entity that is no more no longer."""
        self._count()
        for key in [key for key in self._counts if key[0] == queue]:
            del self._counts[key]

    def _count(self) -> None:
        """Count what came since the last time: when somebody asks, or before it is dropped. Recording costs nothing more."""
        fresh = islice(reversed(self._records), self.cursor - self._counted)
        self._counts.update(map(_ENTITY_AND_EVENT, fresh))
        self._counted = self.cursor

    def records(self, after: int) -> Iterator[tuple[int, Record]]:
        """Yield the entries numbered above `after` as they were recorded, each with its number."""
        first = self.cursor - len(self._records)
        start = max(0, after - first)
        for index, record in enumerate(islice(self._records, start, None), start):
            yield first + index + 1, record

    def restore(self, cursor: int, records: Iterable[Record]) -> None:
        """Take the newest entries that a store has kept, the last of them numbered `cursor`."""
        self._records.extend(records)
        self._bytes = sum(record[7].size for record in self._records if record[7] is not None)
        self.cursor = self._counted = cursor
        self.dropped = cursor - len(self._records)

    def notify(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Call `wake` once, at the next entry; return what takes the wish back."""
        self._waiters.append(wake)

        def forget() -> None:
            if wake in self._waiters:
                self._waiters.remove(wake)

        return forget

    def _render(self, number: int, record: Record) -> dict[str, Any]:
        at, queue, event, sequence, message_id, delivery, consumer, content, details = record
        entry: dict[str, Any] = {
            "n": number,
            "at": round(at, 6),
            "queue": queue,
            "event": event,
            "sequence": sequence,
            "message_id": message_id,
            "delivery": delivery,
            "consumer": consumer,
            "reason": None,
            "description": None,
        }
        if details:
            entry.update(details)
        if content is not None and self._describe is not None:
            entry["message"] = self._describe(content)
            entry["sender"] = content.sender
        return entry
