"""The fork servers of a supervisor: a Python program that is started often is imported once. Standard library only.

A request to start a child may say of its `program`: `key`, equal for starts that may share an interpreter; `argv` and `env` of
the fork server (`fork_server`), `arguments` of the program, `worth_it`: the start with which the fork server begins, which costs
as much as one more, and `leaves`: files that a process may leave behind, with `{pid}`.
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

MOST = 12
"""Fork servers at the same time; the one that has been idle for longest ends for another."""
_PATIENCE = 10.0
"""Seconds for an answer, which takes a hundredth: the supervisor does nothing else meanwhile."""


@dataclass(slots=True)
class _Program:
    starts: int = 0
    server: _ForkServer | None = None
    fit: bool = True
    """Whether it can be started by forking, as far as is known."""
    left_out: list[str] = field(default_factory=list)
    """Packages that read a variable as they are imported which differs between starts."""


class ForkServers:
    """By program. A start that cannot be forked, for whatever reason, is made by exec."""

    def __init__(self, cleanup: Cleanup) -> None:
        self._cleanup = cleanup
        self._programs: dict[str, _Program] = {}

    def start(self, request: dict[str, Any]) -> Started:
        """Start what is asked for. Raises `SpawnError`."""
        asked = request.get("program")
        if not asked:
            return spawn(request)
        program = self._programs.setdefault(asked["key"], _Program())
        program.starts += 1
        forked = self._fork(program, request) if program.server is not None else None
        if forked is not None:
            return forked
        started = spawn(request)
        if program.fit and program.server is None and program.starts >= asked["worth_it"]:
            self._begin(program, request)
        return started

    def _fork(self, program: _Program, request: dict[str, Any]) -> Started | None:
        server = program.server
        assert server is not None
        if server.state() == "loading":
            return None
        if server.state() == "ready":
            forked, refusal = server.fork(request)
            if forked is not None:
                return forked
            program.fit = bool(refusal)
            program.left_out += [refusal.decode()] if refusal not in (b"", b"stale") else []
        else:
            program.fit = False
        server.close()
        program.server = None
        return None

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

    def state(self) -> str:
        """`loading`, `ready` or `ended`."""
        if not self._ready or select.select([self._control], [], [], 0)[0]:
            try:
                said = self._control.recv(64, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return "loading"
            except OSError:
                said = b""
            if not said:
                return "ended"
            self._ready = True
        return "ready"

    def fork(self, request: dict[str, Any]) -> tuple[Started | None, bytes]:
        """Start the program once more. Else None, and a package that must be left out, or `stale`, or nothing where it does not
        answer."""
        self.used = time.monotonic()
        output, output_write = os.pipe()
        answer, answer_write = os.pipe()
        try:
            try:
                self._send(request, [output_write, answer_write])
            except OSError:
                os.close(output)
                return None, b""
            finally:
                os.close(output_write)
                os.close(answer_write)
            if select.select([answer], [], [], _PATIENCE)[0]:
                said = os.read(answer, 400)
            else:
                said = b""
                process_tree.send(self.pid, signal.SIGKILL)
        finally:
            os.close(answer)
        if not said.isdigit():
            os.close(output)
            return None, said
        os.set_blocking(output, False)
        return Started(int(said), output, forked=True), b""

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
