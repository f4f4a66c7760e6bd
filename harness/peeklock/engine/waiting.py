"""The one place where Peeklock waits for something to become true."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

FIRST_DELAY = 0.05
LONGEST_DELAY = 1.0

T = TypeVar("T")


class Signal:
    """Wakes whoever waits when something has happened; it counts, so that nothing between look and wait is missed."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._count = 0
        self._last = time.monotonic()

    def wake(self) -> None:
        """Say that something has happened; callable from any thread."""
        with self._condition:
            self._count += 1
            self._last = time.monotonic()
            self._condition.notify_all()

    @property
    def count(self) -> int:
        """How often something has happened."""
        return self._count

    @property
    def quiet_for(self) -> float:
        """Seconds since the last time."""
        return time.monotonic() - self._last

    def wait(self, seen: int, seconds: float) -> bool:
        """Return True at once when the count is past `seen`, when that comes true, or False after `seconds`."""
        with self._condition:
            return self._condition.wait_for(lambda: self._count != seen, timeout=max(0.0, seconds))


class Deadline:
    """A moment on the monotonic clock that nothing may outlast."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds until then, never negative."""
        return max(0.0, self._end - time.monotonic())

    @property
    def passed(self) -> bool:
        """Whether it is over."""
        return self.left == 0.0

    def sooner(self, seconds: float) -> Deadline:
        """Return the deadline in `seconds`, or this one when it comes first."""
        return Deadline(min(seconds, self.left))


@dataclass(frozen=True, slots=True)
class Look(Generic[T]):
    """One look at the world."""

    good: bool
    value: T
    final: str = ""
    """Why no later look can be better; empty while one can."""


@dataclass(frozen=True, slots=True)
class Waited(Generic[T]):
    """How waiting ended."""

    good: bool
    first: T
    last: T
    tries: int
    seconds: float
    why: str
    """`` when good, else why it ended: the time was up, or a reason to stop early."""
    early: bool = False


def pause(deadline: Deadline) -> float:
    """Return at the deadline, with the seconds that it took: for who means time, and nothing that happens."""
    started = time.monotonic()
    Signal().wait(0, deadline.left)
    return time.monotonic() - started


def wait_until(
    look: Callable[[], Look[T]], deadline: Deadline, signal: Signal, *, stable_for: float = 0.0
) -> Waited[T]:
    """Look until it is good (and stays so for `stable_for` seconds), final, or the deadline passes.

    Looks at once, then whenever the signal wakes, and at the latest after 50 ms, growing to 1 s; adds no delay after success.
    """
    started = time.monotonic()
    delay, tries, good_since = FIRST_DELAY, 0, None
    first: T | None = None
    while True:
        seen = signal.count
        found = look()
        tries += 1
        first = found.value if first is None else first
        now = time.monotonic()
        if found.good:
            good_since = now if good_since is None else good_since
            if now - good_since >= stable_for:
                return Waited(True, first, found.value, tries, now - started, "")
        else:
            good_since = None
            if found.final:
                return Waited(False, first, found.value, tries, now - started, found.final, early=True)
        if deadline.passed:
            why = f"it did not stay so for {stable_for:g} s" if found.good else f"{deadline.seconds:g} s are over"
            return Waited(False, first, found.value, tries, now - started, why)
        limit = stable_for - (now - good_since) if good_since is not None else delay
        delay = FIRST_DELAY if signal.wait(seen, min(limit, deadline.left)) else min(delay * 2, LONGEST_DELAY)
