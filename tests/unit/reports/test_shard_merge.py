"""Runs of shards as one: what they came to, and what is told when they are not the whole."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from peeklock.engine.events import CaseFinished, Durations, Outcome, RunFinished, RunStarted
from peeklock.engine.failure import Failure
from peeklock.engine.operations import ContractUse
from peeklock.engine.shard import Shard
from peeklock.errors import PeeklockError
from peeklock.reports.html import record as recording
from peeklock.reports.html.archive import write_archive
from peeklock.reports.html.case_data import packed
from peeklock.reports.html.history import read as read_history
from peeklock.reports.html.record import RunRecord, read_heads, read_stories
from peeklock.reports.shard_merge import ShardMerge
from peeklock.reports.shard_run import opened_shards
from peeklock.scenario.matchers import Mismatch
from tests.unit.reports.html.test_page import case

PARTS = ((("a.yaml", 2),), (("b.yaml", 1), ("c.yaml", 1)), ())
WHOLE = {1: {"a.yaml::one": "passed", "a.yaml::two": "passed"}, 2: {"b.yaml::one": "passed", "c.yaml::one": "passed"}, 3: {}}  # fmt: skip
OPERATIONS = {"GET /a": ("200", "404"), "GET /b": ("default",), "GET /d": ("200",)}
FAILURE = Failure("it is not so", "look", "a.yaml:3:4", mismatches=(Mismatch("a", "1", "2", ()),), started_at=100.0)


class Runs:
    """Folders of runs of shards, as machines leave them behind."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.places: list[Path] = []

    def add(self, index: int, ends: dict[str, Any], *, at: float = 100.0, whole: bool = True, **facts: Any) -> Path:
        """`ends`: how each case ended. `facts`: of the shard, or the backend, that differ."""
        folder = self._root / f"machine-{len(self.places)}" / "run-1"
        folder.mkdir(parents=True)
        backend, interrupted = facts.pop("backend", "embedded"), facts.pop("interrupted", False)
        shard = replace(Shard(index, PARTS, "number of cases", "scenarios", "c" * 40), **facts)
        keep = RunRecord(folder)
        keep(RunStarted(at, "run-1", len(ends), 1, backend, "", folder, {"X-1": "it holds"}, shard))
        for number, (name, outcome) in enumerate(ends.items()):
            keep(ended(name, outcome, at + number + 1))
        if whole:
            left = sum(cases for _, cases in shard.files) - len(ends)
            keep(RunFinished(at + 9, "run-1", 0, 0, 0, 0, (), 9.0 + index, Durations(), interrupted=interrupted, unjudged=left))  # fmt: skip
        self.places.append(folder)
        return folder


def ended(name: str, outcome: Outcome, at: float) -> CaseFinished:
    use = ContractUse(OPERATIONS, {f"GET /{name[0]}": {"200": 1}})
    finished = replace(case(contracts={"aml.yaml": use}), at=at, case=name, outcome=outcome)
    if outcome == "failed":
        return replace(finished, failure=FAILURE)
    return replace(finished, reason="there is no stack", record=None) if outcome == "error" else finished


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path)


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def merged(runs: Runs, opened: ExitStack) -> Any:
    return lambda: ShardMerge(opened.enter_context(opened_shards(runs.places)))


def whole(runs: Runs, without: int = 0) -> None:
    for index, ends in WHOLE.items():
        if index != without:
            runs.add(index, ends)


def test_shards_together_are_one_run(runs: Runs, merged: Any, tmp_path: Path) -> None:
    """Also with one for which no file was left: the same cases and outcomes, with their stories, and the history goes on."""
    whole(runs)
    merge = merged()
    assert (merge.problems, merge.notes, merge.shards, merge.cases, merge.files) == ([], [], "3 of 3 shards", 4, 3)
    last = merge.finished("run-7")
    assert (last.passed, last.failed, last.errors, last.unjudged, last.interrupted, last.flaky) == (
        4,
        0,
        0,
        0,
        False,
        (),
    )
    assert last.seconds == 12.0
    folder = tmp_path / "run-7"
    folder.mkdir()
    merge.write(folder)
    recorded = read_heads(folder)
    assert [(head["file"], head["name"], head["shard"]) for head in recorded.heads] == [
        ("a.yaml", "one", 1), ("a.yaml", "two", 1), ("b.yaml", "one", 2), ("c.yaml", "one", 2),
    ]  # fmt: skip
    assert all(read_stories(folder))
    assert recorded.coverage.data()["operations"] == [["aml.yaml", [
        ["GET /a", [["200", 2, [0, 1]], ["404", 0, []]]], ["GET /b", [["default", 1, [2]]]],
        ["GET /d", [["200", 0, []]]], ["GET /c", [["200", 1, [3]]]],
    ]]]  # fmt: skip
    assert (recorded.run["run"], recorded.run["cases"], recorded.run["criteria"]) == ("run-7", 4, {"X-1": "it holds"})
    history = read_history(folder / "history.json") or {}
    assert {name: [each[:2] for each in results] for name, results in history.items()} == {
        name: [("run-7", "passed")] for ends in WHOLE.values() for name in ends
    }


def test_a_failure_is_told_as_the_shard_told_it(runs: Runs, merged: Any) -> None:
    whole(runs, without=1)
    runs.add(1, {"a.yaml::one": "passed", "a.yaml::two": "failed"})
    merge = merged()
    told = {event.case: event for event in merge.events()}
    assert told["a.yaml::two"].failure == FAILURE
    assert (told["a.yaml::two"].at, told["a.yaml::two"].durations) == (102.0, Durations(0.1, 0.2, 0.3))
    assert merge.finished("run-1").failed_cases == ("a.yaml::two",)


def test_a_shard_that_is_missing_is_told_with_its_files(runs: Runs, merged: Any) -> None:
    """And as a case that could not be judged: no report of others looks as if all were well."""
    whole(runs, without=2)
    merge = merged()
    assert merge.problems == ["shard 2 of 3 is missing: 2 cases of 2 files not judged (b.yaml, c.yaml)"]
    assert merge.shards == "2 of 3 shards"
    assert [(each.case, each.outcome) for each in merge.events()][-1] == (
        "peeklock merge::shard 2 of 3 is missing", "error",
    )  # fmt: skip
    last = merge.finished("run-1")
    assert (last.errors, last.unjudged, merge.with_problems(last).errors) == (0, 2, 1)


def test_a_shard_for_which_no_file_was_left_is_missed_as_well(runs: Runs, merged: Any) -> None:
    """It said so itself: nobody has to guess that nothing was lost."""
    whole(runs, without=3)
    assert merged().problems == ["shard 3 of 3 is missing: no file was left for it, and its run would have said so"]


@pytest.mark.parametrize(
    ("facts", "why"), [({"whole": False}, "did not come to its end"), ({"interrupted": True}, "was ended early")]
)
def test_a_shard_that_was_ended_before_its_time_is_told(
    runs: Runs, merged: Any, facts: dict[str, Any], why: str
) -> None:
    whole(runs, without=1)
    folder = runs.add(1, {"a.yaml::one": "passed"}, **facts)
    assert merged().problems == [f"shard 1 of 3 {why}: 1 of 2 cases without a result ({folder})"]


def test_what_was_given_twice_counts_once(runs: Runs, merged: Any) -> None:
    whole(runs)
    runs.places.append(runs.places[0])
    merge = merged()
    assert (merge.problems, merge.cases, len(merge.runs)) == ([], 4, 3)
    assert "shard 1 of 3 was given twice" in merge.notes[0]


def test_a_case_that_failed_and_passed_when_its_shard_was_run_again_is_flaky(runs: Runs, merged: Any) -> None:
    whole(runs)
    runs.add(1, {"a.yaml::one": "passed", "a.yaml::two": "failed"}, at=50.0)
    merge = merged()
    assert merge.problems == []
    assert "shard 1 of 3 was run 2 times" in merge.notes[0]
    assert merge.finished("run-1").flaky == ("a.yaml::two",)
    assert [(each.case, each.repeat, each.outcome) for each in merge.events()][:4] == [
        ("a.yaml::one", 0, "passed"), ("a.yaml::two", 0, "failed"), ("a.yaml::one", 1, "passed"), ("a.yaml::two", 1, "passed"),
    ]  # fmt: skip


def test_what_could_not_be_judged_counts_no_more_when_it_was_later(runs: Runs, merged: Any) -> None:
    """A machine that ran out of disk, and the same shard on another."""
    whole(runs)
    runs.add(1, {"a.yaml::one": "error"}, at=50.0, whole=False)
    merge = merged()
    assert merge.problems == []
    assert merge.finished("run-1").errors == 0
    assert any("1 error of a first try left out" in note for note in merge.notes)


def test_an_error_after_a_result_counts(runs: Runs, merged: Any) -> None:
    whole(runs)
    runs.add(1, {"a.yaml::one": "error"}, at=150.0)
    assert merged().finished("run-1").errors == 1


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"commit": "d" * 40}, "the shards ran different commits: 1/3, 2/3 at cccccccccc; 3/3 at dddddddddd"),
        ({"backend": "containers"}, "the shards ran on different backends: 1/3, 2/3 on embedded; 3/3 on containers"),
        ({"parts": (*PARTS[:2], (("d.yaml", 0),))}, "these are shards of different wholes: "),
        ({"parts": (*PARTS, ()), "selection": "-k sas"}, "chosen by `-k sas`"),
    ],
)
def test_shards_that_are_not_of_one_run_are_told_apart(
    runs: Runs, merged: Any, facts: dict[str, Any], told: str
) -> None:
    whole(runs, without=3)
    runs.add(3, {}, **facts)
    assert any(told in problem for problem in merged().problems), merged().problems


def test_a_commit_that_is_not_known_is_no_other_one(runs: Runs, merged: Any) -> None:
    whole(runs, without=3)
    runs.add(3, {}, commit="")
    assert merged().problems == []


def test_a_case_in_two_shards_is_told(runs: Runs, merged: Any) -> None:
    whole(runs, without=3)
    runs.add(3, {"a.yaml::one": "passed"})
    assert merged().problems == ["cases are in more than one shard: 1, as a.yaml::one in shard 1 of 3 and shard 3 of 3"]


def test_past_its_bound_a_merged_record_keeps_how_passed_cases_ended(
    runs: Runs, merged: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole(runs, without=1)
    runs.add(1, {"a.yaml::one": "failed", "a.yaml::two": "passed"})
    merge = merged()
    monkeypatch.setattr(recording, "MOST_BYTES", 0)
    (tmp_path / "run-9").mkdir()
    merge.write(tmp_path / "run-9")
    kept = {f"{head['file']}::{head['name']}": head.get("left_out") for head in read_heads(tmp_path / "run-9").heads}
    assert kept == {"a.yaml::one": None, "a.yaml::two": True, "b.yaml::one": True, "c.yaml::one": True}


def test_archives_and_runs_are_found_below_a_folder(runs: Runs, tmp_path: Path) -> None:
    """As pipelines unpack what they have kept: a folder for each machine, hidden ones among them."""
    for index, ends in WHOLE.items():
        folder = runs.add(index, ends)
        if index == 1:
            write_archive(folder, tmp_path / "kept" / "one" / "shard.zip")
        else:
            (tmp_path / "kept" / str(index)).mkdir()
            folder.rename(tmp_path / "kept" / str(index) / ".peeklock")
    with opened_shards([tmp_path / "kept"]) as found:
        assert sorted(run.shard.index for run in found) == [1, 2, 3]
        assert ShardMerge(found).problems == []


def test_what_holds_no_shard_is_refused_by_name(runs: Runs, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    plain = tmp_path / "run-1"
    plain.mkdir()
    RunRecord(plain)(RunStarted(1.0, "run-1", 1, 1, "embedded", "", plain))
    for place, told in ((tmp_path / "empty", "no run of a shard"), (tmp_path / "none", "no such"), (plain, "no shard")):
        with pytest.raises(PeeklockError, match=r"no .*shard") as caught, opened_shards([place]):
            pass
        assert told in str(caught.value)
        assert caught.value.where == str(place)
    assert runs.places == []


def test_a_story_of_another_shape_is_refused_by_name(runs: Runs, merged: Any) -> None:
    folder = runs.add(1, WHOLE[1])
    head = {"file": "a.yaml", "name": "three", "outcome": "failed", "seconds": [0, 0, 0]}
    with (folder / recording.NAME).open("a") as file:
        file.write(json.dumps({"case": head, "story": packed({"failure": 7})}) + "\n")
    with pytest.raises(PeeklockError, match="cannot be read") as caught:
        list(merged().events())
    assert caught.value.where == str(folder)


@pytest.mark.parametrize(
    "line",
    [
        {"run": {"shard": {"index": 4, "parts": [[]], "by": "", "selection": "", "commit": ""}, "at": 1, "run": "r"}},
        {"run": {"shard": {"index": 1, "parts": 7}, "at": 1, "run": "r"}},
        {"run": {"shard": {}, "at": 1, "run": "r"}},
        {"run": {"shard": {}, "at": "x", "run": "r"}},
        {"case": {"file": "a.yaml"}},
        {"case": {"file": "a.yaml", "name": "x", "outcome": "great", "seconds": [0, 0, 0]}},
        {"case": {"file": 3, "name": "x", "outcome": "passed", "seconds": [0, 0, 0]}},
        {"case": {"file": "a", "name": "x", "outcome": "passed", "seconds": "abc"}},
        {"end": {"seconds": "long"}},
        {"run": {"criteria": 7}},
    ],
)
def test_a_record_of_another_shape_is_refused_by_name(runs: Runs, line: dict[str, Any]) -> None:
    """It comes from another machine: nothing of it is taken on trust."""
    folder = runs.add(1, WHOLE[1])
    with (folder / recording.NAME).open("a") as file:
        file.write(json.dumps(line) + "\n")
    with pytest.raises(PeeklockError, match="cannot be read") as caught, opened_shards([folder]):
        pass
    assert caught.value.where == str(folder)
