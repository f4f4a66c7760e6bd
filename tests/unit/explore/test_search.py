"""The search: the likeliest disturbances first, the rest by seed; what cannot be repeated is flaky, what drifts is noise."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from peeklock.engine.events import CaseFinished, Durations
from peeklock.engine.snapshot import Fact
from peeklock.explore.events import Deeper, Event, Finding, Recorded, Wanted
from peeklock.explore.judge import Judge
from peeklock.explore.kind import Disturbance
from peeklock.explore.search import CaseDoesNotPass, Search
from peeklock.explore.trial import Ended, Trial
from peeklock.scenario.model import Scenario
from tests.unit.engine.fake import FakeEnvironment, scenario_of

ROW = Fact("table jobs", {"id": 1})
CASE = "cases: {good: {steps: [{send: {queue: jobs, json: {}}}]}}"


class FakeTrials:
    """A system that ends as a function says, of how often it was run."""

    def __init__(self, scenario: Scenario, end: Callable[[Disturbance | None, int], list[Fact]]) -> None:
        self.scenario, self.case, self._end = scenario, scenario.cases[0], end
        self.runs = 0
        self.outcome: Any = "passed"
        world = FakeEnvironment("worker")
        for number in (1, 2):
            facts = {"message_id": str(number), "consumer": "service-worker@x/1", "sequence": number}
            world.happen("delivered", **facts)
            world.happen("completed", **facts)
        self._entries = world.entries

    def whole(self) -> CaseFinished:
        return CaseFinished(0, "good", self.outcome, Durations(), reason="it is broken")

    def undisturbed(self, kept: Sequence[int] | None = None, slowed: Sequence[Any] = ()) -> Trial:
        return self._trial(None, None)

    def disturbed(self, by: Disturbance, judge: Judge, kept: Sequence[int] | None = None) -> Trial:
        return self._trial(by, judge)

    def each(
        self, disturbances: Iterable[Disturbance], judge: Callable[[], Judge]
    ) -> Iterator[tuple[Disturbance, Trial]]:
        return ((each, self.disturbed(each, judge())) for each in disturbances)

    def _trial(self, by: Disturbance | None, judge: Judge | None) -> Trial:
        self.runs += 1
        facts = self._end(by, self.runs)
        found = [] if judge is None else judge.differences(facts)
        return Trial("different" if found else "same", 0, Ended(facts, self._entries, [], found, True, 1))


def explored(
    tmp_path: Path, end: Callable[[Disturbance | None, int], list[Fact]], **wanted: Any
) -> tuple[Search, list[Event]]:
    trials: Any = FakeTrials(scenario_of(tmp_path, CASE), end)
    search = Search(trials, Wanted(**wanted, write=False))
    return search, list(search.events())


def order(tmp_path: Path, seed: int) -> list[str]:
    _, events = explored(tmp_path, lambda _by, _run: [ROW], seed=seed)
    recorded = events[0]
    assert isinstance(recorded, Recorded)
    assert [each.rank for each in recorded.disturbances] == sorted(each.rank for each in recorded.disturbances)
    return [each.text for each in recorded.disturbances]


def test_the_same_seed_gives_the_same_list(tmp_path: Path) -> None:
    assert order(tmp_path, 7) == order(tmp_path, 7) != order(tmp_path, 8)
    assert sorted(order(tmp_path, 7)) == sorted(order(tmp_path, 8))


def test_findings_that_end_alike_are_one(tmp_path: Path) -> None:
    search, _ = explored(tmp_path, lambda by, _run: [ROW, ROW] if by and by.kinds[0].startswith("dies") else [ROW])
    (found,) = search.explored().findings
    assert (found.flaky, found.disturbance.kinds) == (False, search.explored().tried[0].disturbance.kinds)
    assert sum(each.trial.verdict == "different" for each in search.explored().tried) == 4


def test_what_does_not_come_out_the_same_again_is_flaky(tmp_path: Path) -> None:
    disturbed: list[str] = []

    def end(by: Disturbance | None, _run: int) -> list[Fact]:
        disturbed.extend([by.text] if by else [])
        return [] if by and len(disturbed) == 1 else [ROW]

    search, _ = explored(tmp_path, end)
    assert [(each.flaky, each.repeated) for each in search.explored().findings] == [(True, 1)]


def test_what_an_undisturbed_run_has_by_now_is_noise(tmp_path: Path) -> None:
    """As the minute in a name."""
    search, _ = explored(tmp_path, lambda _by, run: [Fact("container logs", {"name": f"2026-{run // 5}"})])
    assert search.explored().findings == ()


def test_it_may_end_with_the_first_finding(tmp_path: Path) -> None:
    _, events = explored(tmp_path, lambda by, _run: [] if by else [ROW], first=True)
    assert isinstance(events[-1], Finding)
    assert len(events) == 3


def test_a_case_that_fails_is_not_explored(tmp_path: Path) -> None:
    trials: Any = FakeTrials(scenario_of(tmp_path, CASE), lambda _by, _run: [ROW])
    trials.outcome = "error"
    with pytest.raises(CaseDoesNotPass, match="it is broken"):
        next(Search(trials, Wanted()).events())


def test_at_depth_two_pairs_are_tried_of_what_was_borne_alone(tmp_path: Path) -> None:
    def end(by: Disturbance | None, _run: int) -> list[Fact]:
        return [] if by and {"comes_twice", "settlement_lost"} <= {*by.kinds} else [ROW]

    assert explored(tmp_path, end)[0].explored().findings == ()
    search, events = explored(tmp_path, end, depth=2)
    (found,) = search.explored().findings
    assert len(found.disturbance.steps) == 2
    alone = sum(len(each.disturbance.steps) == 1 for each in search.explored().tried)
    assert Deeper(alone * (alone + 1) // 2) in events
