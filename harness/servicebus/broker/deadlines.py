"""Heaps of moments at which something becomes due, with cheap cancelling."""

from __future__ import annotations

import heapq
from collections.abc import Callable

from .message import ORDER, Message


class Deadlines:
    """Messages ordered by a moment. Entries whose message has moved on are dropped lazily, and swept when they are
    more than half, so that a million consumed messages leave nothing behind; all operations O(log n) amortised."""

    __slots__ = ("_heap", "_valid", "stale")

    def __init__(self, valid: Callable[[Message, float], bool]) -> None:
        self._heap: list[tuple[float, int, Message]] = []
        self._valid = valid
        self.stale = 0
        """How many entries have lost their message; the owner counts up."""

    def add(self, when: float, message: Message) -> None:
        """Make `message` due at `when` (epoch seconds)."""
        heapq.heappush(self._heap, (when, message.sequence & ORDER, message))

    def discard(self) -> None:
        """Note that one entry's message has gone; sweeps now and then."""
        self.stale += 1
        if self.stale > 1024 and self.stale * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if self._valid(entry[2], entry[0])]
            heapq.heapify(self._heap)
            self.stale = 0

    def next_due(self) -> float | None:
        """Return the earliest moment, or None; may be that of an entry which has become stale."""
        return self._heap[0][0] if self._heap else None

    def pop_due(self, now: float) -> Message | None:
        """Take the earliest message that is due and still valid, or None."""
        while self._heap and self._heap[0][0] <= now:
            when, _, message = heapq.heappop(self._heap)
            if self._valid(message, when):
                return message
            self.stale = max(0, self.stale - 1)
        return None

    def clear(self) -> None:
        """Drop everything."""
        self._heap.clear()
        self.stale = 0
