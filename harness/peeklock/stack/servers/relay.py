"""The relay of one environment: its process, and its control."""

from __future__ import annotations

import json
import os
import secrets
import socket
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from peeklock.stack.errors import StackError
from peeklock.supervision.client import SupervisorClient
from peeklock.supervision.readiness import Watcher, announces, json_record

_PACKAGES = Path(__file__).resolve().parents[3]
_TITLE = "the relay in which faults strike"


class RelayServer:
    """A running relay, started here or found through the state of its environment. Thread-safe."""

    def __init__(self, state: Mapping[str, Any]) -> None:
        self.state = dict(state)
        """What another process needs to use it; kept in the supervisor's memory only."""
        self._lock = threading.Lock()
        self._connection: socket.socket | None = None
        self._answers = b""

    @classmethod
    def start(
        cls, supervisor: SupervisorClient, name: str, log_dir: Path, listeners: Mapping[str, Mapping[str, Any]]
    ) -> RelayServer:
        """Start it; returns when it listens. `listeners`: `{target: {doors, target, protocol}}`. Raises `StackError`."""
        token = secrets.token_urlsafe(24)
        log = log_dir / "relay.log"
        env = {
            "PATH": os.environ.get("PATH", os.defpath),
            "PYTHONPATH": str(_PACKAGES),
            "PYTHONUNBUFFERED": "1",
            "PEEKLOCK_RELAY_TOKEN": token,
        }
        argv = [sys.executable, "-m", "peeklock.stack.relay", json.dumps(listeners)]
        watcher = Watcher(supervisor, name, title=_TITLE, log_file=log, secrets=[token])
        try:
            supervisor.spawn(name, argv, env, Path("/"), log=str(log), layer=0, grace=1.0, secrets=[token])
            line = watcher.until_line(announces("relay.ready"), "the line relay.ready", 30.0)
        finally:
            watcher.close()
        return cls({"control_port": (json_record(line) or {})["control_port"], "token": token})

    def ask(self, operation: str, **arguments: Any) -> Any:
        """Do an operation of its control. Raises `StackError`."""
        request = {"token": self.state["token"], "op": operation, **arguments}
        try:
            with self._lock:
                if self._connection is None:
                    self._connection = socket.create_connection(("127.0.0.1", self.state["control_port"]), 10.0)
                self._connection.sendall(json.dumps(request).encode() + b"\n")
                answer = json.loads(self._line(self._connection))
        except OSError as error:
            raise StackError(f"{_TITLE} does not answer", actual=f"{type(error).__name__}: {error}") from error
        if "error" in answer:
            raise StackError(f"{_TITLE} refused", actual=answer["error"])
        return answer["ok"]

    def _line(self, connection: socket.socket) -> bytes:
        while b"\n" not in self._answers:
            chunk = connection.recv(1 << 16)
            if not chunk:
                raise ConnectionResetError("it closed the connection")
            self._answers += chunk
        line, _, self._answers = self._answers.partition(b"\n")
        return line

    def close(self) -> None:
        """Hang up; the relay goes on."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
