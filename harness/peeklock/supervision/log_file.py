"""The log file of children: all they wrote, or of a flood the first and the last of it. Standard library only."""

from __future__ import annotations

import os
import re
import stat

FIRST = 8 << 20
"""Bytes that are kept of the beginning, where a service tells what it was started with."""
LAST = 8 << 20
"""Bytes of the end that are kept at least, where it tells how it ended; twice as many at most."""
_CHUNK = 1 << 20
_LONGEST_LINE = 128 << 10
"""More than a line of a log ever has: the line that tells of a gap begins so far before the end of the first at most."""
_LONGEST_MARKER = 200
_TOLD = re.compile("^… ([0-9,]+) lines \\(([0-9,]+) bytes\\) are let go here".encode(), re.MULTILINE)


class LogFile:
    """A file that its writers append whole lines to: replicas of a service share one."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._file = -1
        self._writers = 0
        self._head, self._marker, self._lines_gone, self._bytes_gone = 0, b"", 0, 0

    def open(self) -> None:
        """Be written to by one more. Raises `OSError`."""
        if not self._writers:
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            if not os.fstat(self._file).st_size:  # it is another file than the one that was written before
                self._head, self._marker, self._lines_gone, self._bytes_gone = 0, b"", 0, 0
        self._writers += 1

    def close(self) -> None:
        """Be written to by one less."""
        self._writers -= 1
        if not self._writers:
            os.close(self._file)

    def write(self, data: bytes) -> None:
        """Append whole lines. Raises `OSError`."""
        self._append(data)
        facts = os.fstat(self._file)
        if facts.st_size > FIRST + 2 * LAST and stat.S_ISREG(facts.st_mode):
            self._let_go(facts.st_size)

    def _append(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._file, data) :]

    def _let_go(self, size: int) -> None:
        """Cut the middle out: what is behind the first and before the last lines, as often as there is too much of it."""
        if not self._head:
            self._head = os.pread(self._file, FIRST, 0).rfind(b"\n") + 1
        kept = os.pread(self._file, LAST, size - LAST)
        kept = kept[kept.find(b"\n") + 1 :]
        begin, end = self._head + len(self._marker), size - len(kept)
        self._bytes_gone += end - begin
        for at in range(begin, end, _CHUNK):
            self._lines_gone += os.pread(self._file, min(_CHUNK, end - at), at).count(b"\n")
        told = f"… {self._lines_gone:,} lines ({self._bytes_gone:,} bytes) are let go here: of a log the first "
        self._marker = f"{told}{FIRST >> 20} MiB and the last are kept\n".encode()
        os.ftruncate(self._file, self._head)
        self._append(self._marker + kept)


def let_go(path: str) -> tuple[int, int]:
    """Return how many lines and bytes a log file has let go of; none where there is no such file."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123  the supervisor imports as little as it can
            file.seek(max(0, FIRST - _LONGEST_LINE))
            told = _TOLD.search(file.read(_LONGEST_LINE + _LONGEST_MARKER))
    except OSError:
        return 0, 0
    return (0, 0) if told is None else (int(told[1].replace(b",", b"")), int(told[2].replace(b",", b"")))


class LogFiles:
    """By path, so that children which share a file share its bound."""

    def __init__(self) -> None:
        self._files: dict[str, LogFile] = {}

    def opened(self, path: str) -> LogFile:
        """Return the file of that path, for one more writer. Raises `OSError`."""
        file = self._files.setdefault(path, LogFile(path))
        file.open()
        return file
