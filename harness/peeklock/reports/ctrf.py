"""The Common Test Report Format, as dashboards and bots read it (ctrf.io, specification 1.0.0)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from peeklock import __version__
from peeklock.engine.events import CaseFinished, Event, RunFinished, RunStarted
from peeklock.redaction import redact
from peeklock.reports.failure_text import cause_line, render_failure

_STATUS = {"passed": "passed", "failed": "failed", "skipped": "skipped", "error": "other"}


class CtrfReport:
    """Writes one JSON file when the run has ended: a test for each time that a case was run."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._tests: list[dict[str, Any]] = []
        self._began = 0.0

    def __call__(self, event: Event) -> None:
        match event:
            case RunStarted():
                self._began = event.at
            case CaseFinished():
                self._tests.append(_test(event))
            case RunFinished():
                self._write(event)

    def _write(self, event: RunFinished) -> None:
        summary = {
            "tests": len(self._tests),
            **{
                status: sum(test["status"] == status for test in self._tests)
                for status in (*_STATUS.values(), "pending")
            },
            "flaky": len(event.flaky),
            "suites": len({test["filePath"] for test in self._tests}),
            "start": _ms(self._began),
            "stop": _ms(event.at),
        }
        tool = {"name": "peeklock", "version": __version__}
        report = {
            "reportFormat": "CTRF",
            "specVersion": "1.0.0",
            "generatedBy": "peeklock",
            "results": {"tool": tool, "summary": summary, "tests": self._tests, "extra": {"run": event.run}},
        }
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text(redact(json.dumps(report, indent=1)) + "\n", encoding="utf-8")


def _test(event: CaseFinished) -> dict[str, Any]:
    file, _, name = event.case.partition("::")
    test: dict[str, Any] = {
        "name": name + (f" #{event.repeat + 1}" if event.repeat else ""),
        "status": _STATUS[event.outcome],
        "rawStatus": event.outcome,
        "duration": _ms(event.durations.total),
        "start": _ms(event.at - event.durations.total),
        "stop": _ms(event.at),
        "suite": [file],
        "filePath": file,
        "type": "e2e",
    }
    if event.tags:
        test["tags"] = list(event.tags)
    if event.covers:
        test["labels"] = {"covers": list(event.covers)}
    if event.failure is not None:
        test |= {
            "message": cause_line(event.failure),
            "trace": "\n".join(render_failure(event)),
            "snippet": "\n".join(event.failure.excerpt),
        }
        line = event.failure.where.split(":")[1:2]
        test |= {"line": int(line[0])} if line and line[0].isdigit() else {}
    elif event.reason:
        test |= {"message": event.reason} | ({"trace": event.traceback} if event.traceback else {})
    return test


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
