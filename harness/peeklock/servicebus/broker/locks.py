"""Locks that end by themselves: of messages by their tokens, of sessions by their ids."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Hashable, Iterator
from typing import Generic, Protocol, TypeVar

from .timers import NEVER

_FEW = 1_024


class Locked(Protocol):
    """What can be locked."""

    locked_until: float
    """In epoch seconds."""


K = TypeVar("K", bound=Hashable)
L = TypeVar("L", bound=Locked)


class LockTable(Generic[K, L]):
    """What is locked, by a key; each lock lives until its own moment, whatever was locked before it.

    Locks that end in the order in which they were made, as most do, stand in a row, which costs nothing to sort; the others are in a
    heap. An entry whose lock has gone, or has another moment now, is dropped when it comes to the front, and all are when there are
    many more of them than locks.
    """

    __slots__ = ("_count", "_heap", "_held", "_last", "_most", "_row")

    def __init__(self) -> None:
        self._held: dict[K, L] = {}
        self._row: deque[tuple[float, K]] = deque()
        self._last = 0.0
        self._heap: list[tuple[float, int, K]] = []
        self._count = 0
        self._most = _FEW
        """How many entries there may be before those that stand for nothing are dropped."""

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[L]:
        return iter(list(self._held.values()))

    def __contains__(self, key: K) -> bool:
        return key in self._held

    def add(self, key: K, held: L) -> None:
        """Lock something until its `locked_until`; again, when it has another one now."""
        self._held[key] = held
        until, row = held.locked_until, self._row
        if until >= self._last or not row:
            row.append((until, key))
            self._last = until
        else:
            self._count += 1
            heapq.heappush(self._heap, (until, self._count, key))
        if len(row) > self._most or len(self._heap) > self._most:
            self._sweep()

    def _sweep(self) -> None:
        get = self._held.get
        self._row = deque([e for e in self._row if (held := get(e[1])) is not None and held.locked_until == e[0]])
        self._heap = [e for e in self._heap if (held := get(e[2])) is not None and held.locked_until == e[0]]
        heapq.heapify(self._heap)
        self._most = _FEW + 8 * len(self._held)

    def _stands(self, until: float, key: K) -> bool:
        held = self._held.get(key)
        return held is not None and held.locked_until == until

    def get(self, key: K) -> L | None:
        """Return what is locked under a key, though its time may be over, or None."""
        return self._held.get(key)

    def remove(self, key: K) -> L:
        """End a lock. Raises `KeyError`."""
        return self._held.pop(key)

    def pop_due(self, now: float) -> L | None:
        """End the lock that was to end first, when its time is over, and return what was locked, or None."""
        if self.next_due() > now:
            return None
        row, heap = self._row, self._heap
        if row and (not heap or row[0][0] <= heap[0][0]):
            return self._held.pop(row.popleft()[1])
        return self._held.pop(heapq.heappop(heap)[2])

    def next_due(self) -> float:
        """Return when the first lock ends; `NEVER` when nothing is locked."""
        row, heap = self._row, self._heap
        while row and not self._stands(*row[0]):
            row.popleft()
        while heap and not self._stands(heap[0][0], heap[0][2]):
            heapq.heappop(heap)
        return min(row[0][0] if row else NEVER, heap[0][0] if heap else NEVER)

    def clear(self) -> None:
        """Forget all locks."""
        self._held.clear()
        self._row.clear()
        self._heap.clear()
