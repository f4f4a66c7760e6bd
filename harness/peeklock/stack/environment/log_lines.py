"""What the services of an environment have written, as far back as memory allows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from peeklock.stack.backend import LogLine

MOST = 64 << 20
"""Characters that are kept; of more, the oldest lines are forgotten. The log files have more."""


class LogLines:
    """Lines in the order in which they were read. A cursor counts all that there have been."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._lines: list[LogLine] = []
        self._size = 0
        self._forgotten = 0

    @property
    def cursor(self) -> int:
        """Behind the last line."""
        return self._forgotten + len(self._lines)

    def add(self, lines: Iterable[LogLine]) -> None:
        """Append lines, forgetting the oldest when there are too many."""
        new = list(lines)
        self._lines += new
        self._size += sum(len(line.text) for line in new)
        if self._size <= self._most:
            return
        gone = 0
        while (
            self._size > self._most // 2 and gone < len(self._lines) - 1
        ):  # half of them at once: it is rare, and not free
            self._size -= len(self._lines[gone].text)
            gone += 1
        del self._lines[:gone]
        self._forgotten += gone

    def after(self, cursor: int) -> list[LogLine]:
        """Those behind a cursor; the first tells how many are missing when some of them have been forgotten."""
        if cursor >= self._forgotten or not self._lines:
            return self._lines[max(0, cursor - self._forgotten) :]
        missing = f"… {self._forgotten - cursor} earlier lines are not kept in memory; the log file has the first and the last"
        return [replace(self._lines[0], text=missing, record=None), *self._lines]
