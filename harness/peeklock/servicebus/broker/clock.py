"""The wall clock that the broker is given: real, shifted, or moved by hand."""

from __future__ import annotations

import time
from typing import Protocol

from .errors import ArgumentOutOfRange


class Clock(Protocol):
    """Anything that tells the time in seconds since 1970."""

    def now(self) -> float:
        """Return the time in epoch seconds."""


_LAST = 253_402_300_800.0
"""The year 10000, which no calendar of Python or .NET knows."""


def moved(now: float, seconds: float) -> float:
    """Return `now` (epoch seconds) moved, back too: a new life begins at the machine's time again. Raises `ArgumentOutOfRange` for
    NaN, and for what leads out of the calendar."""
    if not 0 <= now + seconds < _LAST:
        raise ArgumentOutOfRange(
            f"The clock cannot be moved by {seconds:g} s: expected to end after 1970 and before the year 10000."
        )
    return now + seconds


class SystemClock:
    """The machine's wall clock, plus an offset in seconds that tests may move forward."""

    __slots__ = ("offset",)

    def __init__(self) -> None:
        self.offset = 0.0

    def now(self) -> float:
        """Return the shifted time in epoch seconds."""
        return time.time() + self.offset

    def advance(self, seconds: float) -> None:
        """Move the time forward. Raises `ArgumentOutOfRange`."""
        moved(self.now(), seconds)
        self.offset += seconds


class ManualClock:
    """A clock that stands still until it is moved; it begins at `start`, in epoch seconds."""

    __slots__ = ("time",)

    def __init__(self, start: float = 1_763_800_000.0) -> None:
        self.time = start

    def now(self) -> float:
        """Return the time in epoch seconds."""
        return self.time

    def advance(self, seconds: float) -> None:
        """Move the time forward. Raises `ArgumentOutOfRange`."""
        self.time = moved(self.time, seconds)
