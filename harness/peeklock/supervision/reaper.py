"""Runs one command and leaves nothing of it: what the command has started ends with it. Standard library only."""

from __future__ import annotations

import contextlib
import os
import signal
import sys

from peeklock.supervision import process_tree
from peeklock.supervision.program import program


def reaped(argv: list[str]) -> list[str]:
    """Return the command that runs `argv` so. Its exit status is that of `argv`."""
    return program("peeklock.supervision.reaper", *argv)


def main() -> None:
    """Its arguments: the command, its program by a full path."""
    command = sys.argv[1:]
    process_tree.prctl(process_tree.PR_SET_CHILD_SUBREAPER, 1)  # daemons come back to this process
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:  # noqa: PTH123
        file.write("1000")  # whoever takes all memory is the one who pays for it
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        process_tree.prctl(process_tree.PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == parent:
            with contextlib.suppress(OSError):
                os.execv(command[0], command)  # noqa: S606  no shell is what we want
        os._exit(127)
    status = _wait(pid)
    process_tree.kill_below(parent)
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        if -code != signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(parent, -code)
    os._exit(code)


def _wait(pid: int) -> int:
    while True:
        dead, status = os.waitpid(-1, 0)
        if dead == pid:
            return status
