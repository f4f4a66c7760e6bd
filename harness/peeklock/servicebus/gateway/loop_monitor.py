"""Whether the event loop still turns: what a health check cannot see from inside a loop that stands still."""

from __future__ import annotations

import asyncio

INTERVAL = 1.0
STALL = 2.0
"""From so many seconds' delay on, the loop has stood still."""
MEMORY = 10.0
"""For how many seconds a stall is told of."""


class LoopMonitor:
    """Looks once a second how late the loop is, and remembers the worst delay. Make and use it inside the event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._worst = self._worst_at = 0.0

    def start(self) -> None:
        """Begin to look, unless it does."""
        if self._timer is None:
            self._look_later()

    def stop(self) -> None:
        """Stop looking."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def delay(self) -> float:
        """Return by how many seconds the loop was late at worst, now or within the last ten seconds."""
        self._note(self._loop.time())
        return self._worst

    def _look_later(self) -> None:
        self._due = self._loop.time() + INTERVAL
        self._timer = self._loop.call_at(self._due, self._look)

    def _look(self) -> None:
        self._note(self._loop.time())
        self._look_later()

    def _note(self, now: float) -> None:
        late = max(0.0, now - self._due) if self._timer is not None else 0.0
        if late >= self._worst or now - self._worst_at > MEMORY:
            self._worst, self._worst_at = late, now
