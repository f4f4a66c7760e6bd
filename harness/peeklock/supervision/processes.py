"""The children of the supervisor: starting them, what they say, how they end. Standard library only."""

from __future__ import annotations

import os
import selectors
import signal
import time
from collections.abc import Callable
from typing import Any

from peeklock.supervision import process_tree
from peeklock.supervision.child import Child
from peeklock.supervision.cleanup import Cleanup
from peeklock.supervision.fork_servers import Fork, ForkServers
from peeklock.supervision.log_file import LogFiles
from peeklock.supervision.ndjson import Connection, Later, NdjsonServer, Refused
from peeklock.supervision.spawn import SpawnError, spawn


class Processes:
    """By name. Nothing in here blocks but `fork` + `exec`. `idle` is called when they are being closed and the last has ended."""

    def __init__(
        self, selector: selectors.BaseSelector, server: NdjsonServer, cleanup: Cleanup, idle: Callable[[], None]
    ) -> None:
        self._selector, self._server, self._cleanup, self._idle = selector, server, cleanup, idle
        self._children: dict[str, Child] = {}
        self._by_pid: dict[int, Child] = {}
        self._logs = LogFiles()
        self._unread: dict[Child, float] = {}
        """Children that write more than is taken, and when they are read again."""
        self._fork_servers = ForkServers(cleanup)
        self._forks: dict[str, tuple[Fork, Callable[[], None]]] = {}
        """Starts that a fork server was asked for, by the child's name, and what is to be done when they are overdue."""
        self._unknown: dict[int, int] = {}
        """Exit statuses of processes that died before the answer in which they are named was read."""
        self._closing = False

    def patience(self) -> float | None:
        """Seconds until the first child that was asked to end, or fork server that was asked to fork, is out of time, or a child
        is read again; None when there is none."""
        due = [c.kill_at for c in self._children.values() if c.kill_at is not None]
        due += [*(fork.deadline for fork, _ in self._forks.values()), *self._unread.values()]
        return max(0.0, min(due) - time.monotonic()) if due else None

    def do_overdue(self) -> None:
        """Kill what was to end, give up what was to fork, and read what had to wait."""
        now = time.monotonic()
        for child in [child for child, at in self._unread.items() if at <= now]:
            del self._unread[child]
            self._selector.register(child.pipe, selectors.EVENT_READ, self._readable(child))
        for child in self._children.values():
            if child.kill_at is not None and child.kill_at <= now:
                child.kill_at = None
                child.signal(signal.SIGKILL)
        for fork, give_up in [*self._forks.values()]:
            if fork.deadline <= now:
                give_up()

    def closed(self, connection: Connection) -> None:
        """Kill what was bound to a connection that is no more."""
        for child in self._children.values():
            if child.running and child.connection is connection:
                child.signal(signal.SIGKILL)

    def kill_all(self) -> None:
        for child in self._children.values():
            if child.running:
                process_tree.send_group(child.pid, signal.SIGKILL)
        process_tree.kill_below(os.getpid())

    def close(self) -> None:
        """Stop all of them, layer by layer and each in its grace."""
        self._closing = True
        self._close_next_layer()

    def _readable(self, child: Child) -> Callable[[int], None]:
        def read(_mask: int) -> None:
            if child.pipe == -1:  # it was reaped, and its pipe drained, in the same round of the loop
                return
            lines, ended, seconds = child.read()
            self._push_lines(child, lines)
            if ended:
                self._close_pipe(child)
            elif seconds and child not in self._unread:
                self._selector.unregister(child.pipe)
                self._unread[child] = time.monotonic() + seconds

        return read

    def _close_pipe(self, child: Child) -> None:
        if self._unread.pop(child, None) is None:
            self._selector.unregister(child.pipe)
        os.close(child.pipe)
        child.pipe = -1

    def _push_lines(self, child: Child, lines: list[tuple[float, str]]) -> None:
        if lines:
            self._server.push(child.name, {"push": "lines", "child": child.name, "lines": lines}, len(lines))

    def reap(self) -> None:
        while True:
            pid, status = process_tree.dead_child(self._bury)
            if not pid:
                return
            child = self._by_pid.pop(pid, None)
            if child is not None:
                self._announce_end(child, os.waitstatus_to_exitcode(status))
            elif self._forks:
                self._unknown[pid] = status

    def _bury(self, pid: int) -> None:
        """A leader is dead: the rest of its group and of its session must not outlive it."""
        if pid in self._by_pid:
            process_tree.send_family(pid, signal.SIGKILL)

    def _announce_end(self, child: Child, code: int) -> None:
        if child.pipe != -1:
            # A grandchild in its last moment may still hold the pipe; its words are not awaited.
            self._push_lines(child, child.read()[0])
            self._close_pipe(child)
        child.closed(code)
        self._cleanup.ended(child.pid)
        if scratch := child.request.get("scratch"):
            self._cleanup.remove(scratch)
        at, expected = child.ended, child.expected
        self._server.push(
            child.name, {"push": "exit", "child": child.name, "at": at, "code": code, "expected": expected}
        )
        for connection, request in child.waiters:
            self._server.send(connection, {"id": request, "ok": True, "code": code})
        child.waiters.clear()
        if self._closing:
            self._close_next_layer()

    def _close_next_layer(self) -> None:
        """Stop the topmost layer that still runs (services before what they stand on); end when none is left."""
        running = [c for c in self._children.values() if c.running]
        if not running:
            self._idle()
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

    # -- operations ----------------------------------------------------------------------------------------------------

    def op_spawn(self, connection: Connection, request: dict[str, Any]) -> dict[str, Any]:
        """Start a child. `bound`: it ends with the connection that asks for it. `scratch`: a registered folder that is removed
        when it has ended. `program`: it may be started by a fork server (`fork_servers.ForkServers`)."""
        name = request["name"]
        old = self._children.get(name)
        if name in self._forks or (old is not None and old.running):
            raise Refused("name_taken", name=name)
        if self._closing:
            raise Refused("closing")
        try:
            child = Child(request, self._logs)
        except SpawnError as error:
            raise _not_started(error) from None
        child.connection = connection if request.get("bound") else None
        fork = self._fork_servers.ask(request)
        if fork is None:
            return self._execute(child)
        self._await(fork, child, connection)
        raise Later

    def _execute(self, child: Child) -> dict[str, Any]:
        try:
            child.begin(spawn(child.request))
        except SpawnError as error:
            child.closed(127)
            raise _not_started(error) from None
        return self._take(child)

    def _await(self, fork: Fork, child: Child, connection: Connection) -> None:
        """Go on when the fork server has answered."""

        def answered(_mask: int = 0) -> None:
            self._selector.unregister(fork.answer)
            process = self._fork_servers.answered(fork)
            try:
                if process is None:
                    reply = {"ok": True, **self._execute(child)}
                else:
                    child.begin(process)
                    reply = {"ok": True, **self._take(child)}
            except Refused as refused:
                reply = {"error": refused.reply}
            del self._forks[child.name]
            self._server.send(connection, {"id": child.request["id"], **reply})
            if (status := self._unknown.pop(child.pid, None)) is not None:
                self._announce_end(self._by_pid.pop(child.pid), os.waitstatus_to_exitcode(status))
            if not self._forks:
                self._unknown.clear()
            if self._closing and child.running:
                child.signal(signal.SIGKILL)

        self._forks[child.name] = fork, answered
        self._selector.register(fork.answer, selectors.EVENT_READ, answered)

    def _take(self, child: Child) -> dict[str, Any]:
        """Look after a child that runs."""
        self._children.pop(child.name, None)
        self._children[child.name] = child
        self._by_pid[child.pid] = child
        self._cleanup.started(child.pid)
        self._selector.register(child.pipe, selectors.EVENT_READ, self._readable(child))
        return {"pid": child.pid}

    def op_respawn(self, connection: Connection, request: dict[str, Any]) -> dict[str, Any]:
        """Start a child that has ended once more, as it was started the last time, or with another `argv`."""
        last = self._child(request).request
        changed = {"argv": request["argv"], "program": None} if "argv" in request else {}
        return self.op_spawn(connection, {**last, **changed, "id": request["id"]})

    def _child(self, request: dict[str, Any]) -> Child:
        child = self._children.get(request["name"])
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
        child = self._children.get(request["name"])
        if child is not None and not child.running:
            del self._children[child.name]

    def op_children(self, _c: Connection, request: dict[str, Any]) -> dict[str, Any]:
        prefix = request.get("prefix", "")
        return {"children": [c.describe() for c in self._children.values() if c.name.startswith(prefix)]}

    def op_tail(self, _c: Connection, request: dict[str, Any]) -> dict[str, Any]:
        count = int(request.get("count", 20))
        return {"lines": list(self._child(request).tail)[-count:]}

    def op_drain(self, _c: Connection, request: dict[str, Any]) -> None:
        """Read, and push, every line that children have written by now; those of one that is stopped too."""
        for child in self._children.values():
            if child.name.startswith(request["prefix"]):
                self._readable(child)(0)

    def op_meta(self, _c: Connection, request: dict[str, Any]) -> None:
        self._child(request).meta = request["meta"]

    def op_expect(self, _c: Connection, request: dict[str, Any]) -> None:
        """The child is about to end because we want it to."""
        self._child(request).expected = True

    def op_mark_paused(self, _c: Connection, request: dict[str, Any]) -> None:
        """The child is held still, or no more, by other means than a signal."""
        self._child(request).paused = bool(request["paused"])


def _not_started(error: SpawnError) -> Refused:
    return Refused("spawn", errno=error.number, text=os.strerror(error.number), stage=error.stage)
