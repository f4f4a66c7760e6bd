"""The fork servers of a supervisor: a Python program that is started often is imported once. Standard library only.

A request to start a child may say of its `program`: `key`, equal for starts that may share an interpreter; `argv` and `env` of
the fork server (`fork_server`), `arguments` of the program, and `leaves`: files that a process may leave behind, with `{pid}`.
See docs/decisions/0024-fork-server.md.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import struct
import time
from dataclasses import dataclass, field
from typing import Any

from peeklock.supervision import process_tree
from peeklock.supervision.cleanup import Cleanup
from peeklock.supervision.spawn import SpawnError, Started, spawn

MOST = 16
"""Fork servers at the same time; the one that has been idle for longest ends for another."""
_PATIENCE = 10.0
"""Seconds for an answer, which takes a hundredth."""
_PATIENCE_WITH_IMPORTS = 30.0
"""Seconds for the first answer, before which the program's packages are imported."""


@dataclass(slots=True)
class _Program:
    server: _ForkServer | None = None
    fit: bool = True
    """Whether it can be started by forking, as far as is known."""
    left_out: list[str] = field(default_factory=list)
    """Packages that read a variable as they are imported which differs between starts."""


class Fork:
    """A start that a fork server was asked for."""

    def __init__(self, program: _Program, server: _ForkServer, answer: int, output: int) -> None:
        """`answer`: a descriptor that can be read when it is known what became of it."""
        self.program, self.server, self.answer, self.output = program, server, answer, output
        self.deadline = time.monotonic() + (_PATIENCE if server.ready() else _PATIENCE_WITH_IMPORTS)


class ForkServers:
    """By program. A start that cannot be forked, for whatever reason, is made by exec."""

    def __init__(self, cleanup: Cleanup) -> None:
        self._cleanup = cleanup
        self._programs: dict[str, _Program] = {}

    def ask(self, request: dict[str, Any]) -> Fork | None:
        """Ask the fork server of a program to start it; None where it has to be made by exec."""
        asked = request.get("program")
        if not asked:
            return None
        program = self._programs.setdefault(asked["key"], _Program())
        if program.fit and program.server is None:
            self._begin(program, request)
        server = program.server
        if server is None:
            return None
        descriptors = server.ask(request)
        if descriptors is None:
            self._part(program, server, fit=False)
            return None
        return Fork(program, server, *descriptors)

    def answered(self, fork: Fork) -> Started | None:
        """Return the process of a start; None where it has to be made by exec after all."""
        said = b""
        if select.select([fork.answer], [], [], 0)[0]:
            said = os.read(fork.answer, 400)
        elif fork.program.server is fork.server:
            process_tree.send(fork.server.pid, signal.SIGKILL)  # it hangs, and so it is not another's pid yet
        os.close(fork.answer)
        if said.isdigit():
            os.set_blocking(fork.output, False)
            return Started(int(said), fork.output, forked=True)
        os.close(fork.output)
        if fork.program.server is fork.server:
            self._part(fork.program, fork.server, fit=bool(said))
            fork.program.left_out += [said.decode()] if said not in (b"", b"stale") else []
        return None

    def _part(self, program: _Program, server: _ForkServer, *, fit: bool) -> None:
        server.close()
        program.server, program.fit = None, fit

    def _begin(self, program: _Program, request: dict[str, Any]) -> None:
        running = [each for each in self._programs.values() if each.server is not None]
        if len(running) >= MOST:
            idle = min(running, key=lambda each: each.server.used if each.server is not None else 0.0)
            assert idle.server is not None
            idle.server.close()
            idle.server = None
        try:
            program.server = _ForkServer(request, program.left_out)
        except (SpawnError, OSError):
            program.fit = False
            return
        for path in request["program"].get("leaves", ()):
            self._cleanup.add(path.format(pid=program.server.pid))


class _ForkServer:
    """A process, and the socket by which it is asked. Raises `SpawnError` where it does not start."""

    def __init__(self, request: dict[str, Any], left_out: list[str]) -> None:
        asked = request["program"]
        argv = [*asked["argv"], *left_out]
        self._control, theirs = socket.socketpair()
        self._control.settimeout(_PATIENCE)
        try:
            self.pid, output, _ = spawn({**request, "argv": argv, "env": asked["env"]}, theirs.fileno())
        except SpawnError:
            self._control.close()
            raise
        finally:
            theirs.close()
        os.close(output)  # it prints nothing that anybody should read
        self.used = time.monotonic()
        self._ready = False

    def ready(self) -> bool:
        """Tell whether it has imported what the program imports."""
        # not MSG_DONTWAIT: a socket with a time-out waits all the same
        if not self._ready and select.select([self._control], [], [], 0)[0]:
            with contextlib.suppress(OSError):
                self._ready = bool(self._control.recv(64))
        return self._ready

    def ask(self, request: dict[str, Any]) -> tuple[int, int] | None:
        """Ask for a start; the reading ends of the answer and of the output. The answer is a pid, a package that must be left
        out, `stale`, or nothing. None where it does not listen."""
        self.used = time.monotonic()
        output, output_write = os.pipe()
        answer, answer_write = os.pipe()
        try:
            self._send(request, [output_write, answer_write])
        except OSError:
            os.close(output)
            os.close(answer)
            return None
        finally:
            os.close(output_write)
            os.close(answer_write)
        return answer, output

    def _send(self, request: dict[str, Any], descriptors: list[int]) -> None:
        wanted = {
            "supervisor": os.getpid(),
            "env": request["env"],
            "cwd": request["cwd"],
            "argv": request["argv"],
            "arguments": request["program"]["arguments"],
        }
        data = json.dumps(wanted).encode()
        data = struct.pack("!I", len(data)) + data
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack(f"{len(descriptors)}i", *descriptors))
        sent = self._control.sendmsg([data], [rights])
        self._control.sendall(data[sent:])

    def close(self) -> None:
        """Let it end, if it has not; what it has started goes on. Its pid may be another's by now."""
        with contextlib.suppress(OSError):
            self._control.close()
