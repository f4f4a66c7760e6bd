"""What an exploration that was interrupted has left is not done again; what it had not made sure of is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from peeklock.engine.snapshot import Fact
from peeklock.explore.events import Event, Finding, Known, Tried, Wanted
from peeklock.explore.kept import CannotResume, Notes
from peeklock.explore.kind import Disturbance
from peeklock.explore.search import Search
from tests.unit.engine.fake import scenario_of
from tests.unit.explore.test_search import CASE, ROW, FakeTrials


def end(by: Disturbance | None, _run: int) -> list[Fact]:
    """One message more where one comes twice."""
    return [ROW, ROW] if by and by.kinds[0] == "comes_twice" else [ROW]


class World:
    """A case, and the notes of it."""

    def __init__(self, folder: Path, **wanted: Any) -> None:
        self.scenario = scenario_of(folder, CASE)
        self.wanted = Wanted(write=False, **wanted)
        self.notes = Notes.of_case(folder / "notes" / "n.ndjson", self.scenario, self.scenario.cases[0], self.wanted)

    def explore(self, known: Known, until: Callable[[Event], bool] = lambda _event: False) -> tuple[Search, int]:
        """Explore until something happens; return the search and how many runs it took."""
        trials: Any = FakeTrials(self.scenario, end)
        search = Search(trials, self.wanted, known)
        self.notes.begin()
        for event in search.events():
            if until(event):
                break
            self.notes(event)
        return search, trials.runs


def told(search: Search) -> set[tuple[str, str]]:
    return {(each.disturbance.text, each.trial.verdict) for each in search.explored().tried}


def test_what_is_known_is_not_run_again(tmp_path: Path) -> None:
    """All of it is told again, the finding with what had become of it."""
    world = World(tmp_path)
    whole, runs = world.explore(Known())
    assert (len(whole.explored().findings), runs > 10) == (1, True)
    again, few = world.explore(world.notes.known())
    assert (told(again), few) == (told(whole), 3)
    (found,) = again.explored().findings
    assert (found.repeated, found.trial.signature) == (3, whole.explored().findings[0].trial.signature)
    assert found.shrunk is not None
    assert str(found.trial.differences[0]) == str(whole.explored().findings[0].trial.differences[0])


def test_a_difference_that_was_not_repeated_yet_is_looked_at_again(tmp_path: Path) -> None:
    """Interrupted between the run that ended otherwise and the verdict that it is sure."""
    world = World(tmp_path)
    world.explore(Known(), lambda event: isinstance(event, Finding))
    assert [each.verdict for each in world.notes.known().trials.values()].count("different") == 1
    again, _ = world.explore(world.notes.known())
    assert [each.flaky for each in again.explored().findings] == [False]


def test_a_line_that_was_cut_off_is_none(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.explore(Known(), lambda event: isinstance(event, Tried) and event.number == 3)
    with world.notes.path.open("a") as file:
        file.write('{"disturbance": "worker di')
    assert len(world.notes.known().trials) == 2


def test_there_must_be_something_to_go_on_with(tmp_path: Path) -> None:
    with pytest.raises(CannotResume, match="nothing to go on with"):
        World(tmp_path).notes.known()


def test_another_exploration_is_not_gone_on_with(tmp_path: Path) -> None:
    """With another seed its order was another."""
    World(tmp_path).explore(Known())
    with pytest.raises(CannotResume, match="different: seed"):
        World(tmp_path, seed=7).notes.known()
