"""How cases ended in earlier runs, handed on from run to run."""

from __future__ import annotations

from pathlib import Path

import pytest

from peeklock.reports.html import history
from peeklock.reports.html.history import NAME, History, read, results_before


def ran(root: Path, number: int, **outcomes: str) -> Path:
    """A run in which cases ended as told; `failed passed` is one that was repeated."""
    folder = root / f"run-{number}"
    folder.mkdir(parents=True)
    kept = History(folder)
    for name, each in outcomes.items():
        for outcome in each.split():
            kept.add({"file": "a.yaml", "name": name, "outcome": outcome, "seconds": [0.1, 0.2, 0.3]})
    kept.write()
    return folder


def test_a_run_knows_how_its_cases_ended_before(tmp_path: Path) -> None:
    """The oldest first, without itself; one that was left out in between is not forgotten."""
    ran(tmp_path, 9, one="passed", two="failed")
    ran(tmp_path, 10, two="passed")
    last = ran(tmp_path, 11, one="failed", two="passed")
    known = results_before(last)
    assert known["a.yaml::one"] == [("run-9", "passed", 0.6)]
    assert [(run, outcome) for run, outcome, _ in known["a.yaml::two"]] == [("run-9", "failed"), ("run-10", "passed")]


def test_a_case_that_went_both_ways_in_a_run_is_flaky_and_a_skipped_one_is_nothing(tmp_path: Path) -> None:
    ran(tmp_path, 1, one="failed passed", two="skipped")
    assert [each[1] for each in results_before(ran(tmp_path, 2))["a.yaml::one"]] == ["flaky"]
    assert "a.yaml::two" not in results_before(ran(tmp_path, 3))


def test_it_does_not_grow_with_the_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the newest file before it is read, however many there are."""
    monkeypatch.setattr(history, "MOST_CASES", 2)
    for number in range(1, 40):
        ran(tmp_path, number, **{f"old{number}": "passed", "same": "passed"})
    reads: list[Path] = []
    monkeypatch.setattr(history, "read", lambda path: reads.append(path) or read(path))
    newest = ran(tmp_path, 40, same="passed")
    assert reads == [tmp_path / "run-39" / NAME]
    kept = read(newest / NAME)
    assert kept is not None
    assert {key: len(each) for key, each in kept.items()} == {"a.yaml::old39": 1, "a.yaml::same": history.MOST_RUNS}


@pytest.mark.parametrize("text", ["", "[]", '{"a": 1}', '{"a": [["run-1"]]}', '{"a": [[1, 2, "x"]]}', "[" * 100_000])
def test_a_file_that_is_none_is_no_trouble(tmp_path: Path, text: str) -> None:
    """The run before the spoilt one tells then."""
    ran(tmp_path, 1, one="passed")
    (ran(tmp_path, 2) / NAME).write_text(text)
    assert list(results_before(ran(tmp_path, 3))) == ["a.yaml::one"]
