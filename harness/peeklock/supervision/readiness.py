"""Waiting for a child to be ready: ends with the event, with the child's exit, or with the time that was granted."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from peeklock.supervision.client import Push, SupervisorClient
from peeklock.supervision.errors import SupervisionError, exited_before_ready, not_ready, supervisor_gone

SHOWN = 20
"""How many of the last log lines go into an error."""
_PROBE_EVERY = 0.015


class Watcher:
    """Sees every line and the exit of one child; made before the child is spawned so that none is missed."""

    def __init__(
        self,
        supervisor: SupervisorClient,
        name: str,
        *,
        title: str,
        log_file: Path | None = None,
        secrets: Sequence[str] = (),
        longer: str = "",
    ) -> None:
        """`longer` says how the child is given more time to become ready."""
        self.name = name
        self.title = title
        self._log_file = log_file
        self._secrets = secrets
        self._longer = longer
        self._supervisor = supervisor
        self._changed = threading.Condition()
        self._lines: list[str] = []
        self.code: int | None = None
        self._lost = False
        self.close = supervisor.listen(name, self._on_push)

    def _on_push(self, push: Push) -> None:
        with self._changed:
            if push["push"] == "lost":
                self._lost = True
            elif push["child"] != self.name:
                return
            elif push["push"] == "lines":
                self._lines += [text for _, text in push["lines"]]
            else:
                self.code = push["code"]
            self._changed.notify_all()

    def tail(self) -> list[str]:
        return self._lines[-SHOWN:]

    def exited(self) -> SupervisionError:
        return exited_before_ready(self.title, self.code or 0, self.tail(), self._log_file, self._secrets)

    def late(self, awaited: str, within: float, seen: str) -> SupervisionError:
        return not_ready(self.title, awaited, within, seen, self.tail(), self._log_file, self._secrets, self._longer)

    def until_line(self, match: Callable[[str], bool], awaited: str, within: float) -> str:
        """The first line for which `match` is true. Raises `SupervisionError` on exit, or after `within` seconds."""
        deadline = time.monotonic() + within
        seen = 0
        with self._changed:
            while True:
                for line in self._lines[seen:]:
                    if match(line):
                        return line
                seen = len(self._lines)
                self._check_alive()
                left = deadline - time.monotonic()
                if left <= 0:
                    raise self.late(awaited, within, "no such line")
                self._changed.wait(left)

    def until_http(self, port: int, path: str, within: float) -> None:
        """Until `GET path` answers 2xx. There is no event for "listens now", so it asks, and stops asking when the child exits."""
        deadline = time.monotonic() + within
        seen = "nothing listened"
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise self.late(f"GET http://127.0.0.1:{port}{path} answers 2xx", within, seen)
            try:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=max(0.05, min(left, 5.0)))
                try:
                    connection.request("GET", path)
                    response = connection.getresponse()
                    body = response.read(300)
                finally:
                    connection.close()
                if 200 <= response.status < 300:
                    return
                seen = f"it answered {response.status} {body.decode('utf-8', 'replace')}".strip()
            except ConnectionRefusedError:
                pass
            except (OSError, http.client.HTTPException) as error:
                seen = f"{type(error).__name__}: {error}"
            with self._changed:
                if self.code is None and not self._lost:
                    self._changed.wait(_PROBE_EVERY)
                self._check_alive()

    def _check_alive(self) -> None:
        if self._lost:
            raise supervisor_gone(f"{self.title} started")
        if self.code is not None:
            raise self.exited()


def json_record(line: str) -> Mapping[str, Any] | None:
    """The JSON object that a log line is, else None."""
    text = line.strip()
    if not text.startswith("{"):
        return None
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):  # no JSON, a number of too many digits, nested too deeply
        return None
    return record if isinstance(record, dict) else None


def announces(event: str) -> Callable[[str], bool]:
    """True for a JSON line whose `event` is `event`, and for a plain line that contains it."""

    def match(line: str) -> bool:
        record = json_record(line)
        return event in line if record is None else record.get("event") == event

    return match
