"""How long cases take, remembered from run to run, so that of many files the longest begin first."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from peeklock.engine.environments import needs_private_stack
from peeklock.engine.events import CaseFinished, Event
from peeklock.engine.plan import Plan
from peeklock.engine.session import case_id
from peeklock.scenario.model import Case, Scenario

USUAL = 0.5
"""Seconds of a case of which nothing is known."""
USUAL_ALONE = 3.0
"""The same in a file with a stack of its own: its services begin anew, its dependencies go away and come back."""


class Pace:
    """Seconds by case. A handler of events: it learns from every case that comes to its end."""

    def __init__(self, path: Path) -> None:
        """`path`: where it is remembered; what cannot be read is taken for unknown."""
        self._path = path
        self._seconds: dict[str, float] = {}
        with contextlib.suppress(OSError, ValueError, AttributeError, TypeError, RecursionError):
            self._seconds = {str(name): float(seconds) for name, seconds in json.loads(path.read_text("utf-8")).items()}

    def __call__(self, event: Event) -> None:
        """Learn from a case that has ended."""
        if isinstance(event, CaseFinished) and event.outcome in ("passed", "failed"):
            self._seconds[event.case] = round(event.durations.total, 3)

    def remember(self) -> None:
        """Write it down for the next run. Raises `OSError`."""
        self._path.write_text(json.dumps(self._seconds, indent=0, sort_keys=True), encoding="utf-8")

    def expected(self, plan: Plan) -> dict[str, float]:
        """Return the seconds that each case of a plan is expected to take."""
        return {case_id(scenario, case): self._expected(scenario, case) for scenario, cases in plan for case in cases}

    def longest_first(self, plan: Plan) -> Plan:
        """Return the files with the one first that is expected to take longest; those that take the same as they stand."""
        return sorted(plan, key=lambda file: -sum(self._expected(file[0], case) for case in file[1]))

    def _expected(self, scenario: Scenario, case: Case) -> float:
        usual = USUAL_ALONE if needs_private_stack(scenario) else USUAL
        return self._seconds.get(case_id(scenario, case), usual)
