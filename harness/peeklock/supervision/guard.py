"""The first of the supervisor's two processes: the guard, which sees to it that nothing outlives the supervisor. Standard library only."""

from __future__ import annotations

import os
import signal
import socket
import sys

from peeklock.supervision import process_tree
from peeklock.supervision.cleanup import finish_for
from peeklock.supervision.supervisor import Supervisor


def main() -> None:
    """Its arguments: the owner's pid, the number of the owner's socket."""
    owner_pid, fd = (int(argument) for argument in sys.argv[1:])
    process_tree.prctl(process_tree.PR_SET_CHILD_SUBREAPER, 1)
    notes_read, notes_write = os.pipe()
    guard = os.getpid()
    pid = os.fork()
    if pid:
        os.close(notes_write)
        os.close(fd)
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda *_: process_tree.send(pid, signal.SIGTERM))
        finish_for(notes_read)
        return
    os.close(notes_read)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    process_tree.prctl(process_tree.PR_SET_PDEATHSIG, signal.SIGTERM)
    process_tree.prctl(process_tree.PR_SET_CHILD_SUBREAPER, 1)
    if os.getppid() != guard:
        os._exit(1)
    Supervisor(socket.socket(fileno=fd), owner_pid, notes_write).run()
