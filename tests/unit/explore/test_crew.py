"""A crew: runs go on side by side, and are told of in the order in which they were asked for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from peeklock.explore.crew import Crew
from peeklock.explore.disturbances import disturbances
from peeklock.explore.judge import Judge
from peeklock.explore.kind import Disturbance
from peeklock.explore.moments import MessageMoment
from peeklock.explore.trial import Trial
from tests.unit.engine.fake import scenario_of

EVERY = list(disturbances([MessageMoment("worker", "complete", "jobs", nth) for nth in range(1, 4)], None))
JUDGE = Judge([[]])


class Member:
    """Its runs wait until somebody else's has begun, too."""

    def __init__(self, folder: Path, both: threading.Barrier) -> None:
        self.scenario = scenario_of(folder, "cases: {a: {steps: [{settle: }]}}")
        self.case, self.as_written, self._both = self.scenario.cases[0], self.scenario, both
        self.made: list[Disturbance] = []

    def disturbed(self, by: Disturbance, judge: Judge, kept: Any = None) -> Trial:
        assert judge is JUDGE
        self.made.append(by)
        self._both.wait(10)
        return Trial("same", float(EVERY.index(by)))


@pytest.fixture
def members(tmp_path: Path) -> list[Any]:
    both = threading.Barrier(2)
    return [Member(tmp_path, both) for _ in range(2)]


@pytest.fixture
def crew(members: list[Any]) -> Iterator[Crew]:
    crew = Crew(members)
    yield crew
    crew.close()


def test_runs_go_on_side_by_side_and_come_in_order(crew: Crew, members: list[Any]) -> None:
    told = [(by, trial.seconds) for by, trial in crew.each(EVERY, lambda: JUDGE)]
    assert told == [(by, float(number)) for number, by in enumerate(EVERY)]
    assert all(each.made for each in members)


def test_who_stops_asking_begins_no_more_than_were_ahead(crew: Crew, members: list[Any]) -> None:
    runs = crew.each(EVERY, lambda: JUDGE)
    next(runs)
    runs.close()  # type: ignore[attr-defined]
    crew.close()
    assert sum(len(each.made) for each in members) == 2
