"""Starting a supervisor, and talking to one: blocking calls from any thread, pushes to subscribers."""

from __future__ import annotations

import contextlib
import itertools
import json
import logging
import os
import queue
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from peeklock.supervision.errors import SupervisionError, cannot_start, supervisor_gone
from peeklock.supervision.program import program

_LOG = logging.getLogger(__name__)
Push = Mapping[str, Any]
Listener = Callable[[Push], None]


class RequestError(SupervisionError):
    """The supervisor refused; `kind` names the situation, `facts` its details."""

    def __init__(self, facts: Mapping[str, Any]) -> None:
        super().__init__(
            "the supervisor refused", actual=", ".join(f"{name}: {value}" for name, value in facts.items())
        )
        self.kind: str = facts["kind"]
        self.facts = facts


class SupervisorClient:
    """A connection to a supervisor. Thread-safe. The supervisor frees this connection's leases when it closes."""

    def __init__(self, sock: socket.socket, process: subprocess.Popen[bytes] | None = None) -> None:
        self._sock = sock
        self._process = process
        """Present when this client started it, and it ends with this client."""
        self._numbers = itertools.count(1)
        self._replies: dict[int, queue.SimpleQueue[dict[str, Any] | None]] = {}
        self._lock = threading.Lock()
        self._listeners: dict[int, tuple[str, Listener]] = {}
        self._closed = False
        self.lost = threading.Event()
        """Set when the supervisor is gone or this client was closed."""
        self._reader = threading.Thread(target=self._read, name="supervisor-client", daemon=True)
        self._reader.start()

    @classmethod
    def start(cls, log: Path | None = None) -> SupervisorClient:
        """Start a supervisor that lives as long as this process and connection (until `detach`).

        `log`: a file for what it has to say, which is nothing unless it fails.
        """
        ours, theirs = socket.socketpair()
        errors = subprocess.DEVNULL if log is None else os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            process = subprocess.Popen(
                program("peeklock.supervision.guard", str(os.getpid()), str(theirs.fileno())),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                pass_fds=(theirs.fileno(),),
                # A session of its own: Ctrl-C in the terminal is for the harness, which then ends the stack in order.
                start_new_session=True,
                cwd="/",
            )
        except OSError as error:
            ours.close()
            raise cannot_start("the supervisor", sys.executable, error) from error
        finally:
            theirs.close()
            if errors >= 0:
                os.close(errors)
        return cls(ours, process)

    @classmethod
    def connect(cls, path: Path) -> SupervisorClient:
        """Connect to a detached supervisor. Raises `OSError` when none listens there."""
        sock = socket.socket(socket.AF_UNIX)
        try:
            sock.connect(str(path))
        except OSError:
            sock.close()
            raise
        return cls(sock)

    def call(self, operation: str, timeout: float | None = None, **arguments: Any) -> dict[str, Any]:
        """Do one operation of `supervisor.Supervisor` and return its reply.

        Raises `RequestError` when it is refused, `SupervisionError` when the supervisor is gone, `TimeoutError` after `timeout` seconds.
        """
        number = next(self._numbers)
        answer: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        data = json.dumps({"id": number, "op": operation, **arguments}, separators=(",", ":")).encode() + b"\n"
        with self._lock:
            if self.lost.is_set():
                raise supervisor_gone(operation)
            self._replies[number] = answer
            try:
                self._sock.sendall(data)
            except OSError:
                self._replies.pop(number, None)
                raise supervisor_gone(operation) from None
        try:
            reply = answer.get(timeout=timeout)
        except queue.Empty:
            raise TimeoutError(operation) from None
        finally:
            self._replies.pop(number, None)
        if reply is None:
            raise supervisor_gone(operation)
        if "error" in reply:
            raise RequestError(reply["error"])
        return reply

    def listen(self, prefix: str, listener: Listener) -> Callable[[], None]:
        """Call `listener` (on the reader's thread: be quick, never call back) with each push of children named `prefix…`.

        Returns the function that ends it.
        """
        key = next(self._numbers)
        with self._lock:
            self._listeners[key] = (prefix, listener)
        self.call("subscribe", prefix=prefix)

        def end() -> None:
            with self._lock:
                self._listeners.pop(key, None)
                last = all(p != prefix for p, _ in self._listeners.values())
            if last and not self.lost.is_set():
                with contextlib.suppress(SupervisionError):
                    self.call("unsubscribe", prefix=prefix)

        return end

    def run(
        self,
        name: str,
        argv: Sequence[str],
        env: Mapping[str, str],
        cwd: Path,
        **options: Any,
    ) -> tuple[int, list[str]]:
        """Run a command to its end as a child of the supervisor; its exit status and its last 200 lines."""
        self.spawn(name, argv, env, cwd, **options)
        code = int(self.call("wait", name=name)["code"])
        lines = [text for _, text in self.call("tail", name=name, count=200)["lines"]]
        self.call("forget", name=name)
        return code, lines

    def spawn(self, name: str, argv: Sequence[str], env: Mapping[str, str], cwd: Path, **options: Any) -> int:
        """Start a child (`supervisor.Supervisor.op_spawn`); its pid. `argv[0]` must be a full path. Raises `SupervisionError`."""
        try:
            reply = self.call("spawn", name=name, argv=list(argv), env=dict(env), cwd=str(cwd), **options)
        except RequestError as error:
            if error.kind != "spawn":
                raise
            where = {"working directory": str(cwd)}.get(error.facts["stage"], argv[0])
            raise cannot_start(name, where, OSError(error.facts["errno"], error.facts["text"])) from error
        return int(reply["pid"])

    def reserve_ports(self, count: int) -> list[int]:
        """Ports of 127.0.0.1 that nothing listens on and no other stack of this machine will take."""
        return list(self.call("reserve_ports", count=count)["ports"])

    def shutdown(self, graceful: bool = True) -> None:
        """End everything below the supervisor and the supervisor; returns when it is done."""
        with contextlib.suppress(SupervisionError):
            self.call("shutdown", graceful=graceful)
        self.close()

    def close(self) -> None:
        with self._lock:
            self._closed = True
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        if threading.current_thread() is not self._reader:
            self._reader.join(timeout=5)
        self._sock.close()
        if self._process is not None:
            self._process.wait()

    def detach(self) -> None:
        """Let the supervisor outlive this process."""
        self.call("detach")
        if self._process is not None:
            self._process.returncode = 0  # it is not ours to wait for any more; Popen would warn
            self._process = None

    def _read(self) -> None:
        pieces: list[bytes] = []
        while True:
            try:
                chunk = self._sock.recv(1 << 20)
            except OSError:
                chunk = b""
            if not chunk:
                break
            head, *lines = chunk.split(b"\n")
            pieces.append(head)
            if lines:
                whole, pieces = b"".join(pieces), [lines.pop()]
                for line in (whole, *lines):
                    self._dispatch(json.loads(line))
        with self._lock:
            self.lost.set()
            waiting, self._replies = list(self._replies.values()), {}
            listeners = [listener for _, listener in self._listeners.values()]
        for answer in waiting:
            answer.put(None)
        if not self._closed:
            for listener in listeners:
                listener({"push": "lost"})

    def _dispatch(self, message: dict[str, Any]) -> None:
        if "id" in message:
            answer = self._replies.get(message["id"])
            if answer is not None:
                answer.put(message)
            return
        with self._lock:
            listeners = [call for prefix, call in self._listeners.values() if message["child"].startswith(prefix)]
        for listener in listeners:
            try:
                listener(message)
            except Exception:  # noqa: BLE001  it must not silence the others, nor leave anybody waiting
                _LOG.exception("a listener failed at %s of %s", message["push"], message["child"])
