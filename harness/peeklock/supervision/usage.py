"""What a process and its descendants have used, by Linux's /proc. Standard library only."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import NamedTuple

from peeklock.supervision.process_tree import LINUX, family

_FIELDS = slice(11, 15)
"""Of /proc/PID/stat after the command: utime, stime, and both of the children that it has waited for."""
_STARTED = 19


class Usage(NamedTuple):
    """Of a process with its descendants."""

    process: tuple[int, int]
    """Its pid, and when it began: a pid is given again."""
    cpu: float
    """Seconds since it began, those of descendants that it has waited for included."""
    peak: int
    """Bytes: the most that each had resident at a time, added up, since it began or since `forget_peak`."""


def why_not() -> str:
    """Why nothing can be told on this machine; empty where it can."""
    return "" if LINUX else f"CPU time and memory of processes are read from /proc, which {sys.platform} does not have"


def usage_of(leader: int) -> Usage | None:
    """Return what a process has used; None when it is gone, or not of this machine."""
    cpu, peak, began = 0.0, 0, None
    for pid in (leader, *family(leader)):
        with contextlib.suppress(OSError, ValueError, IndexError):
            stat = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
            if pid == leader:
                began = int(stat[_STARTED])
            cpu += sum(map(int, stat[_FIELDS])) / os.sysconf("SC_CLK_TCK")
            peak += next(
                int(line.split()[1]) * 1024
                for line in _read(f"/proc/{pid}/status").splitlines()
                if line.startswith("VmHWM:")
            )
    return None if began is None else Usage((leader, began), cpu, peak)


def forget_peak(leader: int) -> None:
    """Let the peak of a process and its descendants begin anew, where the kernel lets us."""
    for pid in (leader, *family(leader)):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/clear_refs", "w") as file:  # noqa: PTH123
            file.write("5")


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123
        return file.read()
