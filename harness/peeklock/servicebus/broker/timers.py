"""The moments at which the entities of a namespace have something to do."""

from __future__ import annotations

import heapq
from collections.abc import Callable

NEVER = float("inf")
_A_MOMENT = 0.001


class Timer:
    """The next moment of one entity. `due` does what the clock asks for; `next_due` tells when that is needed next, in epoch
    seconds, `NEVER` when it is not."""

    __slots__ = ("_timers", "armed", "due", "next_due")

    def __init__(self, timers: Timers, due: Callable[[], None], next_due: Callable[[], float]) -> None:
        self._timers = timers
        self.due = due
        self.next_due = next_due
        self.armed = NEVER
        """For when it is announced already."""

    def arm(self, when: float) -> None:
        """Announce a moment at which `due` is to be called."""
        if when < self.armed:
            self.armed = when
            self._timers.announce(when, self)


class Timers:
    """All timers of a namespace. `on_deadline` is called with an epoch second whenever the earliest moment has become earlier."""

    def __init__(self) -> None:
        self.on_deadline: Callable[[float], None] | None = None
        self._announced: list[tuple[float, int, Timer]] = []
        self._count = 0

    def timer(self, due: Callable[[], None], next_due: Callable[[], float]) -> Timer:
        """Make a timer; it stands still until it is armed."""
        return Timer(self, due, next_due)

    def announce(self, when: float, timer: Timer) -> None:
        """Wake a timer at `when`."""
        self._count += 1
        heapq.heappush(self._announced, (when, self._count, timer))
        if self.on_deadline is not None and self._announced[0][0] == when:
            self.on_deadline(when)

    def run_due(self, now: float) -> None:
        """Do everything that the clock asks for by now."""
        announced = self._announced
        while announced and announced[0][0] <= now:
            timer = heapq.heappop(announced)[2]
            timer.armed = NEVER
            timer.due()
            due = timer.next_due()
            if due < timer.armed:
                # an entry whose message has moved on may be due already; its entity has looked at it just now
                timer.arm(due if due > now else now + _A_MOMENT)

    def next_due(self) -> float | None:
        """Return the epoch second at which `run_due` is needed next, or None."""
        return self._announced[0][0] if self._announced else None
