"""One child of the supervisor: its output in lines, its log file, how it ended. Standard library only."""

from __future__ import annotations

import collections
import os
import signal
import time
from typing import Any

from peeklock.redaction import Redactor
from peeklock.supervision import process_tree
from peeklock.supervision.allowance import RATE, Allowance
from peeklock.supervision.log_file import LogFile, LogFiles
from peeklock.supervision.spawn import SpawnError, Started

LONGEST_LINE = 64 * 1024
"""Bytes of a line that are kept; the line says how many more there were."""
TAIL = 200
_READS = 4
"""Of 64 KiB each, in one turn: about as much as a socket takes in one. With more, lines of a flood pile up before those who listen,
and every answer waits behind them."""
_MARGIN = 4 * 1024
"""Bytes beyond them that are looked at, so that no secret is split before it is seen."""

_FLOOD = (
    f"… it writes faster than {RATE >> 20} MiB a second are read (256 bytes more a line): from here on it has to wait"
)


class Child:
    """A process in a session of its own, that dies with the supervisor."""

    def __init__(self, request: dict[str, Any], logs: LogFiles) -> None:
        """It has a log, and no process before `begin`. Raises `SpawnError`."""
        self.request = request
        self.name: str = request["name"]
        self.grace = float(request.get("grace", 10.0))
        self.stop_signal = int(request.get("stop_signal", signal.SIGTERM))
        self.layer = int(request.get("layer", 1))
        self.meta: dict[str, Any] = request.get("meta", {})
        self.redact = Redactor(request.get("secrets", ()))
        self.tail: collections.deque[tuple[float, str]] = collections.deque(maxlen=TAIL)
        self.code: int | None = None
        self.ended: float | None = None
        self.expected = False
        self.paused = False
        self.kill_at: float | None = None
        self.waiters: list[Any] = []
        self.connection: Any = None
        """Present where it ends with the connection that has asked for it."""
        self._partial = bytearray()
        self._cut = 0
        self._allowance = Allowance()
        self._told_to_wait = False
        self._log: LogFile | None = None
        self.log_trouble: str | None = None
        log = request.get("log")
        if log:
            try:
                self._log = logs.opened(log)
            except OSError as error:
                raise SpawnError(error.errno or 0, f"opening the log file {log}") from None
        self.pid = self.pipe = -1
        self.started, self._forked = 0.0, False

    def begin(self, process: Started) -> None:
        """Have the process that was started for it."""
        self.pid, self.pipe, self._forked = process
        self.started = time.time()

    @property
    def running(self) -> bool:
        return self.code is None

    def read(self) -> tuple[list[tuple[float, str]], bool, float]:
        """What it wrote since the last call, redacted, in whole lines; whether the pipe is at its end; and for how many seconds
        it is not to be read now, since it writes more than is taken."""
        lines: list[tuple[float, str]] = []
        ended = False
        for number in range(_READS):
            if number > 1 and self._allowance.wait():  # two reads have what is in the pipe by now, and its end
                break
            try:
                chunk = os.read(self.pipe, 65536)
            except BlockingIOError:
                break
            except OSError:
                chunk = b""
            if not chunk:
                ended = True
                break
            *whole, rest = chunk.split(b"\n")
            for piece in whole:
                self._grow(piece)
                lines.append(self._line())
            self._grow(rest)
            self._allowance.spend(len(chunk), len(whole))
        if ended and self._partial:
            lines.append(self._line())
        seconds = self._allowance.wait()
        if seconds and not self._told_to_wait:
            self._told_to_wait = True
            lines.append(self._told(_FLOOD))
        self._write(lines)
        return lines, ended, seconds

    def _grow(self, piece: bytes) -> None:
        kept = piece[: max(0, LONGEST_LINE + _MARGIN - len(self._partial))]
        self._partial += kept
        self._cut += len(piece) - len(kept)

    def _line(self) -> tuple[float, str]:
        text = self.redact(self._partial.decode("utf-8", "replace").rstrip("\r"))
        more = self._cut + max(0, len(text) - LONGEST_LINE)
        self._partial.clear()
        self._cut = 0
        return self._told(f"{text[:LONGEST_LINE]} … ({more} more)" if more else text)

    def _told(self, text: str) -> tuple[float, str]:
        line = (time.time(), text)
        self.tail.append(line)
        return line

    def _write(self, lines: list[tuple[float, str]]) -> None:
        if self._log is None or not lines:
            return
        data = "".join(f"{text}\n" for _, text in lines).encode("utf-8", "replace")
        try:
            self._log.write(data)
        except OSError as error:
            # A full disk must not end the run: the lines still go to the subscribers.
            self.log_trouble = error.strerror
            self._close_log()

    def signal(self, number: int) -> None:
        process_tree.send_family(self.pid, number)

    def closed(self, code: int) -> None:
        self.code, self.ended, self.kill_at = code, time.time(), None
        self._close_log()

    def _close_log(self) -> None:
        if self._log is not None:
            self._log.close()
            self._log = None

    def describe(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "pid": self.pid,
            "forked": self._forked,
            "code": self.code,
            "started": self.started,
            "ended": self.ended,
            "paused": self.paused,
            "expected": self.expected,
            "meta": self.meta,
            "log_trouble": self.log_trouble,
        }
