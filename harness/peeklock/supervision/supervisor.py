"""The supervisor: the one parent of every process of its owner. It, and all below it, ends with its owner.

Two small processes: a *guard*, and below it the *supervisor* proper, which is single-threaded. The supervisor's children get
SIGKILL from the kernel when it dies (PR_SET_PDEATHSIG); what they had started themselves comes back to the guard
(PR_SET_CHILD_SUBREAPER), which kills it and removes what was registered. See docs/decisions/0002-supervisor.md.
Standard library only.
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

from peeklock.supervision.cleanup import Cleanup
from peeklock.supervision.ndjson import Connection, Later, NdjsonServer, Refused, encode
from peeklock.supervision.processes import Processes
from peeklock.supervision.registry import Registry


class Supervisor:
    """The event loop, and when it ends. Nothing in here blocks but removing directories at the end."""

    def __init__(self, owner: socket.socket, owner_pid: int, guard: int) -> None:
        """`guard`: the pipe through which the guard is told what to remove."""
        self._selector = selectors.DefaultSelector()
        self._cleanup = Cleanup(guard)
        self._registry = Registry()
        handlers: list[object] = [self, self._registry, self._cleanup]
        self._server = NdjsonServer(self._selector, handlers, self._closed)
        self._processes = Processes(self._selector, self._server, self._cleanup, self._ask_to_end)
        self._server.add(self._processes)
        self._started = time.time()
        self._closing: list[tuple[Connection, int]] | None = None
        self._done = False
        self._owner: Connection | None = self._server.connect(owner)
        self._watch_owner(owner_pid)
        self._watch_signals()

    def run(self) -> None:
        """Serve until the owner is lost, a signal asks for the end, or `shutdown` has finished."""
        while not self._done:
            for key, mask in self._selector.select(self._processes.patience()):
                key.data(mask)
            self._processes.do_overdue()
        self._end()

    def _end(self) -> None:
        self._processes.kill_all()
        self._cleanup.finish()
        for connection, request in self._closing or ():
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
            self._processes.reap()

        self._selector.register(wake_read, selectors.EVENT_READ, awake)

    def _ask_to_end(self, *_: object) -> None:
        self._done = True

    def _watch_owner(self, pid: int) -> None:
        """The owner's socket closes when it dies, unless something it forked holds a copy: so watch its pid as well."""

        def gone() -> None:
            self._done = self._done or self._owner is not None

        self._watch(pid, gone)

    def _watch(self, pid: int, gone: Callable[[], None]) -> None:
        """Call `gone` when a process has ended; never where the kernel cannot tell."""
        if not hasattr(os, "pidfd_open"):
            return
        try:
            fd = os.pidfd_open(pid)
        except ProcessLookupError:
            gone()
            return
        except OSError:  # an old kernel or a sandbox: the socket alone has to do
            return

        def ended(_mask: int) -> None:
            self._selector.unregister(fd)
            os.close(fd)
            gone()

        self._selector.register(fd, selectors.EVENT_READ, ended)

    def _closed(self, connection: Connection) -> None:
        self._registry.closed(connection)
        self._processes.closed(connection)
        if connection is self._owner:
            self._done = True

    def op_hello(self, _c: Connection, _r: dict[str, Any]) -> dict[str, Any]:
        return {"pid": os.getpid(), "started": self._started, "attached": self._owner is not None}

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
        self._cleanup.add(path)

        def accept(_mask: int) -> None:
            with contextlib.suppress(BlockingIOError, OSError):
                self._server.connect(listener.accept()[0])

        self._selector.register(listener, selectors.EVENT_READ, accept)

    def op_detach(self, _c: Connection, _r: dict[str, Any]) -> None:
        """From now on no owner is needed: live until `shutdown` or SIGTERM."""
        self._owner = None

    def op_end_with(self, _c: Connection, request: dict[str, Any]) -> None:
        """End when a process ends, too."""
        self._watch(int(request["pid"]), self._ask_to_end)

    def op_shutdown(self, connection: Connection, request: dict[str, Any]) -> dict[str, Any]:
        """Stop all children, layer by layer and each in its grace, remove the directories, then reply and end."""
        if self._closing is None:
            self._closing = []
            self._owner = None
            if not request.get("graceful", True):
                self._done = True
            else:
                self._processes.close()
        self._closing.append((connection, request["id"]))
        raise Later
