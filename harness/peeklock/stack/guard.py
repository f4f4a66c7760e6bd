"""The first of the supervisor's two processes: the guard, which sees to it that nothing outlives the supervisor. Standard library only."""

from __future__ import annotations

import os
import signal
import socket
import sys

from peeklock.stack import process_tree
from peeklock.stack.bare import ARGUMENTS
from peeklock.stack.supervisor import Supervisor, remove_containers


def _guard(supervisor: int, pipe: int) -> None:
    """Wait for the end of the supervisor, then make sure that nothing of it is left."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: process_tree.send(supervisor, signal.SIGTERM))
    paths: list[str] = []
    engines: list[str] = []
    groups: set[int] = set()
    with open(pipe, encoding="utf-8", errors="surrogateescape") as notes:
        for note in notes:
            kind, text = note[0], note[1:].rstrip("\n")
            if kind == "+":
                paths.append(text)
            elif kind == "-" and text in paths:
                paths.remove(text)
            elif kind == "E":
                engines.append(text)
            elif kind == "P":
                groups.add(int(text))
            elif kind == "p":
                groups.discard(int(text))
    if not process_tree.LINUX:
        for group in groups:
            process_tree.send_group(group, signal.SIGKILL)
    process_tree.kill_below(os.getpid())
    for note in engines:
        remove_containers(*note.split("\t"))
    for path in reversed(paths):
        process_tree.remove(path)


def main() -> None:
    """Its arguments: the owner's pid, the number of the owner's socket."""
    owner_pid, fd = (int(argument) for argument in sys.argv[ARGUMENTS:])
    process_tree.prctl(process_tree.PR_SET_CHILD_SUBREAPER, 1)
    notes_read, notes_write = os.pipe()
    guard = os.getpid()
    pid = os.fork()
    if pid:
        os.close(notes_write)
        os.close(fd)
        _guard(pid, notes_read)
        return
    os.close(notes_read)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    process_tree.prctl(process_tree.PR_SET_PDEATHSIG, signal.SIGTERM)
    process_tree.prctl(process_tree.PR_SET_CHILD_SUBREAPER, 1)
    if os.getppid() != guard:
        os._exit(1)
    Supervisor(socket.socket(fileno=fd), owner_pid, notes_write).run()
