"""The faults that are on at a stand-in."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

F = TypeVar("F")


@dataclass(eq=False)
class _Active(Generic[F]):
    fault: F
    left: int | None
    until: float | None
    """On the monotonic clock."""
    struck: int = 0

    @property
    def over(self) -> bool:
        return self.left == 0 or (self.until is not None and time.monotonic() >= self.until)


class ActiveFaults(Generic[F]):
    """Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._active: list[_Active[F]] = []
        self._events: list[tuple[float, str]] = []

    def begin(self, fault: F, times: int | None, seconds: float | None) -> None:
        """Let a fault strike from now: `times` times, for `seconds`, or until `end`."""
        until = None if seconds is None else time.monotonic() + seconds
        with self._lock:
            self._active.append(_Active(fault, times, until))

    def strike(self, meant: Callable[[F], bool], text: Callable[[F], str]) -> F | None:
        """Return the first fault that is meant, and count its strike; None when there is none."""
        with self._lock:
            for active in self._active:
                if not active.over and meant(active.fault):
                    active.struck += 1
                    active.left = None if active.left is None else active.left - 1
                    self._events.append((time.time(), text(active.fault)))
                    return active.fault
        return None

    def end(self) -> int:
        """End all; return how often they have struck."""
        with self._lock:
            ended, self._active = self._active, []
        return sum(active.struck for active in ended)

    def events(self) -> list[tuple[float, str]]:
        """Return when (Unix seconds) a fault struck, and which."""
        with self._lock:
            return list(self._events)

    def forget(self) -> None:
        """Begin the next case."""
        self.end()
        with self._lock:
            self._events = []
