"""Moments at which messages become due, with cheap cancelling."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable

from .message import ORDER, Message


class Deadlines:
    """Messages ordered by a moment, which `due_at` tells in epoch seconds for those that still have it, and None for others.

    Most come in the order in which they become due: they stand in a row, which costs 8 bytes each and nothing to sort; the
    others are in a heap. Whoever has moved on is dropped lazily, and swept when there are more of them than others, so that
    a million consumed messages leave nothing behind. All operations are O(log n) amortised.
    """

    __slots__ = ("_due_at", "_heap", "_last", "_row", "stale")

    def __init__(self, due_at: Callable[[Message], float | None]) -> None:
        self._due_at = due_at
        self._row: deque[Message] = deque()
        self._last = 0.0
        self._heap: list[tuple[float, int, Message]] = []
        self.stale = 0
        """How many entries have lost their message; the owner counts up."""

    def __len__(self) -> int:
        return len(self._row) + len(self._heap)

    def add(self, when: float, message: Message) -> None:
        """Make `message` due at `when`, which `due_at` tells, too."""
        if when >= self._last or not self._row:
            self._row.append(message)
            self._last = when
        else:
            heapq.heappush(self._heap, (when, message.sequence & ORDER, message))

    def discard(self) -> None:
        """Note that one entry's message has gone; sweeps now and then."""
        self.stale += 1
        if self.stale > 1024 and self.stale * 2 > len(self):
            due_at = self._due_at
            self._row = deque(message for message in self._row if due_at(message) is not None)
            self._heap = [entry for entry in self._heap if due_at(entry[2]) is not None]
            heapq.heapify(self._heap)
            self.stale = 0

    def next_due(self) -> float | None:
        """Return the earliest moment, or None."""
        row = self._head_of_row()
        heap = self._heap[0][0] if self._heap else None
        return row if heap is None else heap if row is None else min(row, heap)

    def due(self, now: float) -> Message | None:
        """Return the earliest message that is due, or None. It stays here until it has moved on, which `discard` tells."""
        while True:
            row = self._head_of_row()
            if self._heap and (row is None or self._heap[0][0] < row):
                when, _, message = self._heap[0]
                if when > now:
                    return None
                if self._due_at(message) is not None:
                    return message
                heapq.heappop(self._heap)
                self.stale = max(0, self.stale - 1)
            else:
                return self._row[0] if row is not None and row <= now else None

    def _head_of_row(self) -> float | None:
        row = self._row
        while row:
            when = self._due_at(row[0])
            if when is not None:
                return when
            row.popleft()
            self.stale = max(0, self.stale - 1)
        return None

    def clear(self) -> None:
        """Drop everything."""
        self._row.clear()
        self._heap.clear()
        self.stale = 0
