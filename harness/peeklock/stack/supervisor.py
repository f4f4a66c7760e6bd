"""The supervisor: the one parent of every process of a stack. It, and all below it, ends with its owner.

Two small processes: a *guard*, and below it the *supervisor* proper, which is single-threaded. The supervisor's children get
SIGKILL from the kernel when it dies (PR_SET_PDEATHSIG); what they had started themselves comes back to the guard
(PR_SET_CHILD_SUBREAPER), which kills it and removes the registered directories. See docs/decisions/0002-supervisor.md.

Started as a `bare` program: standard library only, and few modules of it (about 40 ms).
Speaks NDJSON over a unix socket: `{"id", "op", ...}` -> `{"id", "ok": true, ...}` or `{"id", "error": {...}}`, and pushes
`{"push": "lines"|"exit", ...}` to subscribers at once.
"""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable
from typing import Any

from peeklock.stack import process_tree
from peeklock.stack.child import Child, SpawnError
from peeklock.stack.ndjson_server import Connection, Later, NdjsonServer, Refused, encode
from peeklock.stack.registry import Registry


class Supervisor:
    """Event loop and state. Nothing in here blocks but `fork`+`exec` and removing directories."""

    def __init__(self, owner: socket.socket, owner_pid: int, guard: int) -> None:
        self.guard = guard
        self.selector = selectors.DefaultSelector()
        self.children: dict[str, Child] = {}
        self.by_pid: dict[int, Child] = {}
        self.paths: list[str] = []
        self.engines: list[tuple[str, str]] = []
        self.registry = Registry()
        self.server = NdjsonServer(self.selector, [self, self.registry], self._closed)
        self.started = time.time()
        self.closing: list[tuple[Connection, int]] | None = None
        self.done = False
        self.owner: Connection | None = self.server.connect(owner)
        self._watch_owner(owner_pid)
        self._watch_signals()

    # -- the loop ------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Serve until the owner is lost, a signal asks for the end, or `shutdown` has finished."""
        while not self.done:
            for key, mask in self.selector.select(self._patience()):
                key.data(mask)
            self._kill_overdue()
        self._end()

    def _patience(self) -> float | None:
        due = [c.kill_at for c in self.children.values() if c.kill_at is not None]
        return max(0.0, min(due) - time.monotonic()) if due else None

    def _kill_overdue(self) -> None:
        now = time.monotonic()
        for child in self.children.values():
            if child.kill_at is not None and child.kill_at <= now:
                child.kill_at = None
                child.signal(signal.SIGKILL)

    def _end(self) -> None:
        for child in self.children.values():
            if child.running:
                process_tree.send_group(child.pid, signal.SIGKILL)
        process_tree.kill_below(os.getpid())
        for address, label in self.engines:
            remove_containers(address, label)
        for path in reversed(self.paths):
            process_tree.remove(path)
            if not os.path.lexists(path):
                self._tell_guard("-", path)  # what is made there from now on is somebody else's
        for connection, request in self.closing or ():
            with contextlib.suppress(OSError):
                connection.sock.setblocking(True)
                connection.sock.sendall(bytes(connection.outgoing) + encode({"id": request, "ok": True}))

    def _watch_signals(self) -> None:
        wake_read, wake_write = socket.socketpair()
        wake_read.setblocking(False)
        wake_write.setblocking(False)
        self._wake = (wake_read, wake_write)
        signal.set_wakeup_fd(wake_write.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, self._ask_to_end)

        def awake(_mask: int) -> None:
            with contextlib.suppress(BlockingIOError):
                wake_read.recv(4096)
            self._reap()

        self.selector.register(wake_read, selectors.EVENT_READ, awake)

    def _ask_to_end(self, *_: object) -> None:
        self.done = True

    def _watch_owner(self, pid: int) -> None:
        """The owner's socket closes when it dies, unless something it forked holds a copy: so watch its pid as well."""
        if not hasattr(os, "pidfd_open"):
            return
        try:
            fd = os.pidfd_open(pid)
        except ProcessLookupError:
            self.done = True
            return
        except OSError:  # an old kernel or a sandbox: the socket alone has to do
            return

        def gone(_mask: int) -> None:
            self.selector.unregister(fd)
            os.close(fd)
            if self.owner is not None:
                self.done = True

        self.selector.register(fd, selectors.EVENT_READ, gone)

    # -- children ------------------------------------------------------------------------------------------------------

    def _readable(self, child: Child) -> Callable[[int], None]:
        def read(_mask: int) -> None:
            if child.pipe == -1:  # it was reaped, and its pipe drained, in the same round of the loop
                return
            lines, ended = child.read()
            self._push_lines(child, lines)
            if ended:
                self.selector.unregister(child.pipe)
                os.close(child.pipe)
                child.pipe = -1

        return read

    def _push_lines(self, child: Child, lines: list[tuple[float, str]]) -> None:
        if lines:
            self.server.push(child.name, {"push": "lines", "child": child.name, "lines": lines})

    def _reap(self) -> None:
        while True:
            pid, status = process_tree.dead_child(self._bury)
            if not pid:
                return
            child = self.by_pid.pop(pid, None)
            if child is not None:
                self._announce_end(child, os.waitstatus_to_exitcode(status))

    def _bury(self, pid: int) -> None:
        """A leader is dead: the rest of its group and of its session must not outlive it."""
        if pid in self.by_pid:
            process_tree.send_family(pid, signal.SIGKILL)

    def _announce_end(self, child: Child, code: int) -> None:
        if child.pipe != -1:
            lines, ended = child.read()
            self._push_lines(child, lines)
            if not ended:
                # A grandchild in its last moment may still hold the pipe; its words are not awaited.
                pass
            self.selector.unregister(child.pipe)
            os.close(child.pipe)
            child.pipe = -1
        child.closed(code)
        self._tell_guard("p", str(child.pid))
        at, expected = child.ended, child.expected
        self.server.push(
            child.name, {"push": "exit", "child": child.name, "at": at, "code": code, "expected": expected}
        )
        for connection, request in child.waiters:
            self.server.send(connection, {"id": request, "ok": True, "code": code})
        child.waiters.clear()
        if self.closing is not None:
            self._close_next_layer()

    def _close_next_layer(self) -> None:
        """Stop the topmost layer that still runs (services before what they stand on); end when none is left."""
        running = [c for c in self.children.values() if c.running]
        if not running:
            self.done = True
            return
        top = max(c.layer for c in running)
        for child in running:
            if child.layer == top and not child.expected:
                self._begin_stop(child, child.grace)

    def _begin_stop(self, child: Child, grace: float) -> None:
        child.expected = True
        child.kill_at = time.monotonic() + grace
        if child.stop_signal == signal.SIGTERM:
            process_tree.send_group(child.pid, signal.SIGTERM)
        else:  # a signal with a meaning of its own is for the leader (Postgres: SIGINT is a fast shutdown)
            process_tree.send(child.pid, child.stop_signal)
        if child.paused:
            child.signal(signal.SIGCONT)
            child.paused = False

    # -- connections ---------------------------------------------------------------------------------------------------

    def _closed(self, connection: Connection) -> None:
        self.registry.closed(connection)
        if connection is self.owner:
            self.done = True

    def _tell_guard(self, kind: str, text: str) -> None:
        with contextlib.suppress(OSError):
            os.write(self.guard, f"{kind}{text}\n".encode())

    # -- operations ----------------------------------------------------------------------------------------------------

    def op_hello(self, _c: Connection, _r: dict[str, Any]) -> dict[str, Any]:
        return {"pid": os.getpid(), "started": self.started, "attached": self.owner is not None}

    def op_spawn(self, _c: Connection, request: dict[str, Any]) -> dict[str, Any]:
        name = request["name"]
        old = self.children.get(name)
        if old is not None and old.running:
            raise Refused("name_taken", name=name)
        if self.closing is not None:
            raise Refused("closing")
        try:
            child = Child(request)
        except SpawnError as error:
            raise Refused("spawn", errno=error.number, text=os.strerror(error.number), stage=error.stage) from None
        self.children.pop(name, None)
        self.children[name] = child
        self.by_pid[child.pid] = child
        self._tell_guard("P", str(child.pid))
        self.selector.register(child.pipe, selectors.EVENT_READ, self._readable(child))
        return {"pid": child.pid}

    def op_respawn(self, connection: Connection, request: dict[str, Any]) -> dict[str, Any]:
        """Start a child that has ended once more, as it was started the last time, or with another `argv`."""
        last = self._child(request).request
        return self.op_spawn(connection, {**last, "argv": request.get("argv", last["argv"])})

    def _child(self, request: dict[str, Any]) -> Child:
        child = self.children.get(request["name"])
        if child is None:
            raise Refused("no_such_child", name=request["name"])
        return child

    def op_stop(self, connection: Connection, request: dict[str, Any]) -> dict[str, Any]:
        child = self._child(request)
        if not child.running:
            return {"code": child.code}
        self._begin_stop(child, float(request.get("grace", child.grace)))
        child.waiters.append((connection, request["id"]))
        raise Later

    def op_kill(self, connection: Connection, request: dict[str, Any]) -> dict[str, Any]:
        child = self._child(request)
        if not child.running:
            return {"code": child.code}
        child.expected = True
        child.signal(signal.SIGKILL)
        child.waiters.append((connection, request["id"]))
        raise Later

    def op_wait(self, connection: Connection, request: dict[str, Any]) -> dict[str, Any]:
        child = self._child(request)
        if not child.running:
            return {"code": child.code}
        child.waiters.append((connection, request["id"]))
        raise Later

    def op_pause(self, _c: Connection, request: dict[str, Any]) -> None:
        child = self._child(request)
        if child.running:
            child.signal(signal.SIGSTOP)
            child.paused = True

    def op_resume(self, _c: Connection, request: dict[str, Any]) -> None:
        child = self._child(request)
        if child.running:
            child.signal(signal.SIGCONT)
            child.paused = False

    def op_forget(self, _c: Connection, request: dict[str, Any]) -> None:
        child = self.children.get(request["name"])
        if child is not None and not child.running:
            del self.children[child.name]

    def op_children(self, _c: Connection, request: dict[str, Any]) -> dict[str, Any]:
        prefix = request.get("prefix", "")
        return {"children": [c.describe() for c in self.children.values() if c.name.startswith(prefix)]}

    def op_tail(self, _c: Connection, request: dict[str, Any]) -> dict[str, Any]:
        count = int(request.get("count", 20))
        return {"lines": list(self._child(request).tail)[-count:]}

    def op_meta(self, _c: Connection, request: dict[str, Any]) -> None:
        self._child(request).meta = request["meta"]

    def op_subscribe(self, connection: Connection, request: dict[str, Any]) -> None:
        connection.prefixes.add(request["prefix"])

    def op_unsubscribe(self, connection: Connection, request: dict[str, Any]) -> None:
        connection.prefixes.discard(request["prefix"])

    def op_register(self, _c: Connection, request: dict[str, Any]) -> None:
        """A file or folder that is removed when the stack ends, however it ends. To be called before it is made."""
        self.paths.append(request["path"])
        self._tell_guard("+", request["path"])

    def op_remove(self, _c: Connection, request: dict[str, Any]) -> None:
        if request["path"] in self.paths:
            self.paths.remove(request["path"])
            process_tree.remove(request["path"])
            self._tell_guard("-", request["path"])

    def op_unregister(self, _c: Connection, request: dict[str, Any]) -> None:
        """Leave it where it is when the stack ends: it has become part of the cache."""
        if request["path"] in self.paths:
            self.paths.remove(request["path"])
            self._tell_guard("-", request["path"])

    def op_engine(self, _c: Connection, request: dict[str, Any]) -> None:
        """A container engine, and the label of what is removed there when the stack ends, however it ends."""
        self.engines.append((request["address"], request["label"]))
        self._tell_guard("E", f"{request['address']}\t{request['label']}")

    def op_expect(self, _c: Connection, request: dict[str, Any]) -> None:
        """The child is about to end because we want it to."""
        self._child(request).expected = True

    def op_mark_paused(self, _c: Connection, request: dict[str, Any]) -> None:
        """The child is held still, or no more, by other means than a signal."""
        self._child(request).paused = bool(request["paused"])

    def op_listen(self, _c: Connection, request: dict[str, Any]) -> None:
        """Accept further clients on a unix socket; its folder must be private to the user."""
        path = request["path"]
        listener = socket.socket(socket.AF_UNIX)
        mask = os.umask(0o177)
        try:
            listener.bind(path)
        except OSError as error:
            raise Refused("listen", errno=error.errno or errno.EIO, text=error.strerror) from None
        finally:
            os.umask(mask)
        listener.listen(64)
        listener.setblocking(False)
        self.paths.append(path)
        self._tell_guard("+", path)

        def accept(_mask: int) -> None:
            with contextlib.suppress(BlockingIOError, OSError):
                self.server.connect(listener.accept()[0])

        self.selector.register(listener, selectors.EVENT_READ, accept)

    def op_detach(self, _c: Connection, _r: dict[str, Any]) -> None:
        """From now on no owner is needed: live until `shutdown` or SIGTERM."""
        self.owner = None

    def op_shutdown(self, connection: Connection, request: dict[str, Any]) -> dict[str, Any]:
        """Stop all children, layer by layer and each in its grace, remove the directories, then reply and end."""
        if self.closing is None:
            self.closing = []
            self.owner = None
            if not request.get("graceful", True):
                self.done = True
            else:
                self._close_next_layer()
        self.closing.append((connection, request["id"]))
        raise Later


def remove_containers(address: str, label: str) -> None:
    """Remove what is left with a label at an engine. When the engine is gone, the next stack removes it (`owners.sweep`)."""
    from peeklock.stack.containers.engine import Engine, EngineError

    with contextlib.suppress(EngineError):
        Engine(address).remove(label)
