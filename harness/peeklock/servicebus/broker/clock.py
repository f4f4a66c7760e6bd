"""The wall clock that the broker is given: real, shifted, or moved by hand."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Anything that tells the time in seconds since 1970."""

    def now(self) -> float:
        """Return the time in epoch seconds."""


class SystemClock:
    """The machine's wall clock, plus an offset in seconds that tests may move forward."""

    __slots__ = ("offset",)

    def __init__(self) -> None:
        self.offset = 0.0

    def now(self) -> float:
        """Return the shifted time in epoch seconds."""
        return time.time() + self.offset


class ManualClock:
    """A clock that stands still until it is moved."""

    __slots__ = ("time",)

    def __init__(self, start: float = 1_763_800_000.0) -> None:
        self.time = start

    def now(self) -> float:
        """Return the time in epoch seconds."""
        return self.time

    def advance(self, seconds: float) -> None:
        """Move the time forward."""
        self.time += seconds
