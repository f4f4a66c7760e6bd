"""How much of what a child writes is read now. Standard library only."""

from __future__ import annotations

import time
from collections.abc import Callable

RATE = 4 << 20
"""Bytes a second that are read in the long run."""
BURST = 16 << 20
"""Bytes that are read at once from one that was quiet."""
LINE = 256
"""Bytes that a line costs beside its own: short ones are as much work to redact and to hand on as long ones."""
SLICE = 256 << 10
"""Bytes that are read at least when reading goes on."""


class Allowance:
    """A bucket that fills with `RATE` up to `BURST`.

    A flood is not read faster than that: the pipe fills, and the child waits in its `write`, as it does before a slow
    disk, and as a container does whose engine takes its output (`docker run` blocks by default). The other way, to
    read on and throw away, would spare the child, and nobody could say any more what it had logged: expectations on
    logs, `no_error_logs` and the cause of a crash would be told from what happened to be kept.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._left = float(BURST)
        self._at = now()

    def spend(self, size: int, lines: int) -> None:
        """Count what was read; it may be more than was left."""
        self._fill()
        self._left -= size + lines * LINE

    def wait(self) -> float:
        """Return the seconds until reading may go on; 0 while something is left."""
        self._fill()
        return 0.0 if self._left > 0 else (SLICE - self._left) / RATE

    def _fill(self) -> None:
        now = self._now()
        self._left = min(float(BURST), self._left + (now - self._at) * RATE)
        self._at = now
