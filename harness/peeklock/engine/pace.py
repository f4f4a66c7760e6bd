"""How long cases take, remembered from run to run, so that of many files the longest begin first."""

from __future__ import annotations

import contextlib
import json
import math
from pathlib import Path

from peeklock.engine.environments import needs_private_stack
from peeklock.engine.events import CaseFinished, Event
from peeklock.engine.plan import Plan
from peeklock.engine.session import case_id
from peeklock.errors import PeeklockError
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
        with contextlib.suppress(PeeklockError):
            self._seconds = read_seconds(path)

    def __call__(self, event: Event) -> None:
        """Learn from a case that has ended."""
        if isinstance(event, CaseFinished) and event.outcome in ("passed", "failed"):
            self._seconds[event.case] = round(event.durations.total, 3)

    def remember(self) -> None:
        """Write it down for the next run. Raises `OSError`."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text(json.dumps(self._seconds, indent=0, sort_keys=True) + "\n", encoding="utf-8")

    def expected(self, plan: Plan) -> dict[str, float]:
        """Return the seconds that each case of a plan is expected to take."""
        return {case_id(scenario, case): self._expected(scenario, case) for scenario, cases in plan for case in cases}

    def longest_first(self, plan: Plan) -> Plan:
        """Return the files with the one first that is expected to take longest; those that take the same as they stand."""
        return sorted(plan, key=lambda file: -sum(self._expected(file[0], case) for case in file[1]))

    def _expected(self, scenario: Scenario, case: Case) -> float:
        return self._seconds.get(case_id(scenario, case), usual(scenario))


def usual(scenario: Scenario) -> float:
    """Return the seconds of a case of a file of which nothing is known."""
    return USUAL_ALONE if needs_private_stack(scenario) else USUAL


def read_seconds(path: Path) -> dict[str, float]:
    """Return what a file holds, as `remember` has written it: seconds by case. Raises `PeeklockError`."""
    try:
        seconds = {str(name): float(each) for name, each in json.loads(path.read_text("utf-8")).items()}
        wrong = next((name for name, each in seconds.items() if not (math.isfinite(each) and each >= 0)), None)
    except (OSError, ValueError, AttributeError, TypeError, OverflowError, RecursionError) as error:
        raise PeeklockError(
            "there are no durations of cases that can be read",
            where=str(path),
            expected='a file such as {"scenarios/orders.yaml::paid": 1.25}',
            actual=(error.strerror or str(error)) if isinstance(error, OSError) else str(error),
            fix="copy .peeklock/durations.json of a run, or `peeklock merge … --durations FILE`",
        ) from None
    if wrong is not None:
        raise PeeklockError(
            f"the duration of {wrong} is no number of seconds", where=str(path), actual=str(seconds[wrong])
        )
    return seconds
