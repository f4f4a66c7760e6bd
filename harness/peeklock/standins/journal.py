"""Every request that a stand-in got since its case began."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Entry:
    """One request and what was answered. `view` is what `requests` shows; no key or token is ever in it."""

    at: float
    """Unix seconds of the answer."""
    view: Mapping[str, Any]
    summary: str
    """For the timeline."""
    problem: str = ""
    """Why the case fails because of it; empty when it was answered."""
    seconds: float | None = None
    """From the request to its answer; None where that is not known."""


Operations = Mapping[str, Sequence[str]]
"""Of a contract: each operation, as `POST /jobs/{id}`, with the statuses that it may answer (`200`, `4XX`, `default`)."""


class Journal:
    """The requests of one case. Thread-safe."""

    def __init__(self, operations: Operations | None = None) -> None:
        """`operations`: what the contract of its stand-in knows."""
        self.operations: Operations = operations or {}
        self._lock = threading.Lock()
        self._entries: list[Entry] = []
        self._wakes: dict[int, Callable[[], None]] = {}
        self._life = 0

    @property
    def life(self) -> int:
        """Which case it is: told to `add`, it keeps late answers out of the next case's journal."""
        return self._life

    def add(self, life: int, entry: Entry) -> None:
        """Keep an entry, unless its case is over."""
        with self._lock:
            if life != self._life:
                return
            self._entries.append(entry)
            wakes = list(self._wakes.values())
        for wake in wakes:
            wake()

    def entries(self) -> list[Entry]:
        """Return the entries in the order in which they were answered."""
        with self._lock:
            return list(self._entries)

    def clear(self) -> None:
        """Begin the next case."""
        with self._lock:
            self._life += 1
            self._entries = []

    def on_change(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Call `wake` at each new entry, from any thread; returns the function that ends it."""
        with self._lock:
            self._wakes[id(wake)] = wake

        def end() -> None:
            with self._lock:
                self._wakes.pop(id(wake), None)

        return end
