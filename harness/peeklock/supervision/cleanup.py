"""What is removed when the supervisor ends, however it ends: by the supervisor in order, else by its guard. Standard library only."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Iterable
from typing import Any

from peeklock.supervision import process_tree
from peeklock.supervision.ndjson import Connection


class Cleanup:
    """Paths to remove and programs to run at the end. The guard is told of each through the pipe `guard`."""

    def __init__(self, guard: int) -> None:
        self._guard = guard
        self._paths: list[str] = []
        self._programs: list[list[str]] = []

    def op_register(self, _c: Connection, request: dict[str, Any]) -> None:
        """Remove a file or folder when the stack ends. To be called before it is made."""
        self.add(request["path"])

    def op_remove(self, _c: Connection, request: dict[str, Any]) -> None:
        """Remove what was registered, now."""
        self.remove(request["path"])

    def remove(self, path: str) -> None:
        if path in self._paths:
            process_tree.remove(path)
            self._forget(path)

    def op_unregister(self, _c: Connection, request: dict[str, Any]) -> None:
        """Leave what was registered where it is: it has become part of the cache."""
        if request["path"] in self._paths:
            self._forget(request["path"])

    def op_at_end(self, _c: Connection, request: dict[str, Any]) -> None:
        """Run a program when everything below has ended; it has `process_tree.PATIENCE` seconds."""
        self._programs.append(list(request["argv"]))
        self._tell("program", request["argv"])

    def add(self, path: str) -> None:
        self._paths.append(path)
        self._tell("path", path)

    def started(self, leader: int) -> None:
        """A child leads a process group, which the guard kills where it cannot see what is below it."""
        self._tell("group", leader)

    def ended(self, leader: int) -> None:
        self._tell("no group", leader)

    def finish(self) -> None:
        """Do it all."""
        _run(self._programs)
        for path in reversed(self._paths.copy()):
            process_tree.remove(path)
            if not os.path.lexists(path):
                self._forget(path)  # what is made there from now on is somebody else's

    def _forget(self, path: str) -> None:
        self._paths.remove(path)
        self._tell("no path", path)

    def _tell(self, kind: str, value: object) -> None:
        with contextlib.suppress(OSError):
            os.write(self._guard, json.dumps([kind, value]).encode() + b"\n")


def finish_for(pipe: int) -> None:
    """Read what a supervisor tells until it has ended, then do what it has left undone: the guard's whole work."""
    paths: list[str] = []
    programs: list[list[str]] = []
    groups: set[int] = set()
    with open(pipe, encoding="utf-8") as notes:
        for note in notes:
            with contextlib.suppress(ValueError):  # the last one may be cut off
                kind, value = json.loads(note)
                if kind == "path":
                    paths.append(value)
                elif kind == "no path" and value in paths:
                    paths.remove(value)
                elif kind == "program":
                    programs.append(value)
                elif kind == "group":
                    groups.add(value)
                elif kind == "no group":
                    groups.discard(value)
    if not process_tree.LINUX:
        for group in groups:
            process_tree.send_group(group, signal.SIGKILL)
    process_tree.kill_below(os.getpid())
    _run(programs)
    for path in reversed(paths):
        process_tree.remove(path)


def _run(programs: Iterable[list[str]]) -> None:
    for argv in programs:
        process_tree.run(argv)
