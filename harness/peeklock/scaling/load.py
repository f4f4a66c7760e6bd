"""A recorded load: how many messages were in a queue, over time."""

from __future__ import annotations

import bisect
import csv
import io
import json
from collections.abc import Iterable
from dataclasses import dataclass

from peeklock.errors import PeeklockError
from peeklock.servicebus.ledger import Entry, EntryInvalid, EventKind, from_json

_COMES = frozenset({EventKind.ENQUEUED, EventKind.ACTIVATED})
_GOES = frozenset(
    {
        EventKind.COMPLETED,
        EventKind.RECEIVED_AND_DELETED,
        EventKind.DEAD_LETTERED,
        EventKind.EXPIRED,
        EventKind.DEFERRED,
        EventKind.DELETED,
        EventKind.FORWARDED,
        EventKind.CANCELLED,
    }
)


class LoadError(PeeklockError):
    """A load that cannot be read: what, where, and how it should be."""


@dataclass(frozen=True)
class Load:
    """`counts[i]` messages from `times[i]` (seconds from the beginning) on; nothing before."""

    times: tuple[float, ...]
    counts: tuple[int, ...]

    def at(self, time: float) -> int:
        """Return how many messages there were at a moment."""
        index = bisect.bisect_right(self.times, time)
        return self.counts[index - 1] if index else 0

    @property
    def lasts(self) -> float:
        """When the last change was."""
        return self.times[-1] if self.times else 0.0


def of_ledger(entries: Iterable[Entry], queue: str) -> Load:
    """Make a load of ledger entries: a message counts from the moment it can be received until it is dealt with."""
    present: set[int] = set()
    points: list[tuple[float, int]] = []
    for entry in entries:
        if entry.entity != queue:
            continue
        if entry.event is EventKind.PURGED:
            present.clear()
        elif entry.message is None:
            continue
        elif entry.event in _COMES:
            present.add(entry.message.sequence)
        elif entry.event in _GOES:
            present.discard(entry.message.sequence)
        else:
            continue
        points.append((entry.at, len(present)))
    if not points:
        raise LoadError(f"the ledger tells nothing of the queue {queue!r}")
    first = points[0][0]
    return Load(tuple(at - first for at, _ in points), tuple(count for _, count in points))


def read(text: str, queue: str, *, alone: bool = True) -> Load:
    """Read a ledger (`ledger.ndjson`, as among a run's artefacts) or lines of `seconds,messages`, where the queue is not one of
    several. Raises `LoadError`."""
    if text.lstrip().startswith("{"):
        try:
            return of_ledger([from_json(json.loads(line)) for line in text.splitlines() if line.strip()], queue)
        except (json.JSONDecodeError, EntryInvalid) as error:
            raise LoadError(f"not a ledger: {error}") from error
    if not alone:
        raise LoadError(f"lines of seconds,messages do not tell the queue {queue!r} from others: give a ledger")
    times: list[float] = []
    counts: list[int] = []
    for number, row in enumerate(csv.reader(io.StringIO(text)), 1):
        if not row or (number == 1 and not row[0].strip().replace(".", "", 1).isdigit()):
            continue
        try:
            time, count = float(row[0]), int(row[1])
        except (ValueError, IndexError):
            raise LoadError(
                f"line {number}: expected seconds,messages, as in 12.5,40; actual {','.join(row)!r}"
            ) from None
        if count < 0 or (times and time < times[-1]):
            raise LoadError(f"line {number}: times must not run backwards, and counts are not below 0")
        times.append(time)
        counts.append(count)
    if not times:
        raise LoadError("no line of seconds,messages")
    return Load(tuple(times), tuple(counts))
