"""The project's scenario files and their cases: run, watched and stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from peeklock.engine.session import case_id
from peeklock.errors import PeeklockError
from peeklock.redaction import redact
from peeklock.scenario.errors import ScenarioInvalid, shorten
from peeklock.scenario.loader import discover, load
from peeklock.servicebus.http import HttpReply
from peeklock.ui.case_run import CaseRun
from peeklock.ui.view import Document, Query, Refused
from peeklock.verbs import VOCABULARY

_MOST = 500
"""Cases that one run of the page may name."""
_HEADERS = (
    # its own script runs, of an origin of its own: it reaches nothing of this page
    ("content-security-policy", "sandbox allow-scripts allow-downloads allow-popups"),
    ("cross-origin-resource-policy", "same-origin"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
    ("cache-control", "no-store"),
)


class Cases:
    """Implements `View`. One run at a time, which ends with this process."""

    def __init__(self, scenarios: Path) -> None:
        """`scenarios`: the folder in which they are."""
        self._scenarios = scenarios
        self._lock = threading.Lock()
        self._run: CaseRun | None = None

    @property
    def looks(self) -> Mapping[str, Callable[[Query], Any]]:
        return {"cases": lambda _: self._listed(), "run": lambda _: self._state(), "report": lambda _: self._report()}

    @property
    def acts(self) -> Mapping[str, Callable[[Document], Any]]:
        return {"run": self._start, "stop": lambda _: self._stop()}

    def _listed(self) -> list[dict[str, Any]]:
        return [self._file(path) for path in discover([self._scenarios])] if self._scenarios.is_dir() else []

    def _file(self, path: Path) -> dict[str, Any]:
        told: dict[str, Any] = {"file": redact(shorten(path)), "title": "", "cases": [], "problem": ""}
        try:
            found = load(path, VOCABULARY)
        except ScenarioInvalid as invalid:
            return told | {"problem": redact("\n\n".join(each.render() for each in invalid.problems[:5]))}
        cases = [
            {"case": case_id(found, case), "name": redact(case.name), "tags": list(found.tags(case)),
             "covers": list(found.covers(case))}
            for case in found.cases
        ]  # fmt: skip
        return told | {"title": redact(found.header.scenario or ""), "cases": cases}

    def _start(self, document: Document) -> dict[str, Any]:
        targets = document.get("targets")
        if not isinstance(targets, list) or not 0 < len(targets) <= _MOST:
            raise Refused(400, f"targets: expected a list of 1 to {_MOST} files or cases")
        files = self._listed()
        known = {each["file"] for each in files}
        known |= {case["case"] for each in files for case in each["cases"]}
        if unknown := [each for each in targets if each not in known]:
            raise Refused(409, f"There is no case {unknown[0]!r} (any more).", "look at the list again")
        with self._lock:
            if self._run is not None and not self._run.ended:
                raise PeeklockError("a run of this page is still going on", fix="stop it, or wait for it")
            self._run = CaseRun(targets, Path.cwd())
        return {}

    def _stop(self) -> dict[str, Any]:
        if self._run is not None:
            self._run.stop()
        return {}

    def _state(self) -> dict[str, Any]:
        return {} if self._run is None else self._run.state()

    def _report(self) -> HttpReply:
        report = None if self._run is None else self._run.report
        if report is None or not report.is_file():
            raise PeeklockError("there is no report yet", fix="run a case, and wait until it has ended")
        return HttpReply(200, report.read_bytes(), "text/html; charset=utf-8", _HEADERS)
