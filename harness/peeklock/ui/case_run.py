"""One `peeklock run` that the page has started: a child that tells what happens, and ends with this process."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from peeklock.redaction import redact

_SAID = 40
"""Lines for people that are kept, the last ones."""


class CaseRun:
    """A run of some cases, from its start. Thread-safe."""

    def __init__(self, targets: Sequence[str], folder: Path) -> None:
        """`targets`: as of `peeklock run`, seen from `folder`."""
        self._lock = threading.Lock()
        self._cases: dict[str, dict[str, Any]] = {}
        self._told: dict[str, Any] = {"run": "", "planned": 0, "doing": "it begins"}
        self._said: deque[str] = deque(maxlen=_SAID)
        self._stopping = False
        self.report: Path | None = None
        """Where its page will be; known once it has begun."""
        self._child = subprocess.Popen(
            [sys.executable, "-m", "peeklock.cli.tethered", "run", "--json", "--", *targets],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=folder, start_new_session=True,
        )  # fmt: skip
        for read, pipe in ((self._note, self._child.stdout), (self._hear, self._child.stderr)):
            threading.Thread(target=_lines, args=(pipe, read), name="ui-run", daemon=True).start()

    @property
    def ended(self) -> bool:
        """Whether it is over, however it ended."""
        return self._child.poll() is not None

    def stop(self) -> None:
        """End it after the cases that run; when that was asked for before, at once, with all that it has started."""
        if self._stopping:
            self.kill()
        elif not self.ended:
            self._stopping = True
            with suppress(ProcessLookupError):
                self._child.send_signal(signal.SIGINT)

    def kill(self) -> None:
        """End it at once, with all that it has started. Idempotent."""
        with suppress(OSError):
            if self._child.stdin is not None:
                self._child.stdin.close()  # the tether: it ends itself, and its supervisor what is below it
        self._child.wait()

    def state(self) -> dict[str, Any]:
        """Return what the page shows of it."""
        code = self._child.poll()
        with self._lock:
            cases = [
                {**each, "outcome": "ended" if code is not None and each["outcome"] == "running" else each["outcome"]}
                for each in self._cases.values()
            ]
            return {
                **self._told,
                "cases": cases,
                "running": code is None,
                "stopping": self._stopping and code is None,
                "exit_code": code,
                # of a run that has begun, the cases tell
                "said": "\n".join(self._said) if code is not None and not self._told["run"] else "",
                "report": self.report is not None and self.report.is_file(),
            }

    def _hear(self, line: bytes) -> None:
        with self._lock:
            self._said.append(redact(line.decode(errors="replace").rstrip()))

    def _note(self, line: bytes) -> None:
        event = json.loads(line)
        with self._lock:
            self._happened(event)

    def _happened(self, event: Mapping[str, Any]) -> None:
        match event["event"]:
            case "RunStarted":
                folder = Path(event["folder"])
                self.report = folder / "report.html"
                self._told |= {"run": folder.name, "planned": event["cases"], "doing": "the stack comes up"}
            case "Progress":
                self._told["doing"] = event["text"]
            case "CaseStarted":
                self._told["doing"] = ""
                self._cases[event["case"]] = {
                    "case": event["case"], "outcome": "running", "step": "", "waits": False, "since": time.time() * 1000,
                }  # fmt: skip
            case "StepStarted":
                self._cases[event["case"]] |= {"step": event["name"] or event["verb"], "waits": event["waits"]}
            case "CaseFinished":
                failure = event["failure"] or {}
                self._cases[event["case"]] = {
                    "case": event["case"],
                    "outcome": event["outcome"],
                    "seconds": round(sum(event["durations"].values()), 2),
                    "reason": event["reason"] or _why(failure),
                    "cause": failure.get("likely_cause") or "",
                }


def _why(failure: Mapping[str, Any]) -> str:
    """Return in a line what did not hold, and in which step."""
    first = next(iter(failure.get("mismatches", ())), None)
    told = failure.get("headline") or (
        first and f"{first['path']}: expected {first['expected']}, actual {first['actual']}"
    )
    return ": ".join(part for part in (failure.get("step"), told) if part)


def _lines(pipe: IO[bytes], read: Any) -> None:
    with pipe:
        for line in pipe:
            read(line)
