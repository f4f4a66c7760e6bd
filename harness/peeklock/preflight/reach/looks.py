"""Many looks at once, each in a thread of its own, and none longer than the deadline."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from peeklock.preflight.facts import Unreached

K = TypeVar("K")
T = TypeVar("T")


class Looks(Generic[K, T]):
    """Looks that have begun. One that does not end in time is left behind: its thread ends with the process."""

    def __init__(self, wanted: Mapping[K, Callable[[], T | Unreached]], seconds: float) -> None:
        self._seconds, self._deadline = seconds, time.monotonic() + seconds
        self._found: dict[K, T | Unreached] = {}
        self._threads = {
            key: threading.Thread(target=self._run, args=(key, act), name="look", daemon=True)
            for key, act in wanted.items()
        }
        for thread in self._threads.values():
            thread.start()

    def _run(self, key: K, act: Callable[[], T | Unreached]) -> None:
        self._found[key] = act()

    def found(self) -> dict[K, T | Unreached]:
        """Return what each look found, when all have ended or their time is over."""
        for thread in self._threads.values():
            thread.join(max(0.0, self._deadline - time.monotonic()))
        unanswered = Unreached(f"there was no answer within {self._seconds:g} s")
        return {key: self._found.get(key, unanswered) for key in self._threads}
