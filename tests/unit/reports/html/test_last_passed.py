"""What a failed case is compared with: its story of the last run in which it passed."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from peeklock.engine.events import CaseFinished, Outcome
from peeklock.reports.html import history, last_passed, record
from peeklock.reports.html.bundle import Bundle
from peeklock.reports.html.page import write_page
from peeklock.reports.html.record import RunRecord, read_stories
from tests.unit.reports.html.test_page import FINISHED, STARTED, case, enqueued, unpacked

DAMAGED = ["", "\0\xff", '{"case": 7}\n{"case": {"outcome": "passed"}, "story": "eJw="}\n', "[" * 100_000]


def ran(root: Path, number: int, outcome: Outcome, *names: str, body: str = "{}") -> Path:
    """A run whose cases all ended alike."""
    folder = root / f"run-{number}"
    folder.mkdir()
    keep = RunRecord(folder)
    for event in (STARTED, *(_case(name, outcome, body) for name in names or ("one",)), FINISHED):
        keep(event)
    return folder


def _case(name: str, outcome: Outcome, body: str) -> CaseFinished:
    return replace(case(entries=(enqueued(body),)), case=f"a.yaml::{name}", outcome=outcome)


def page_of(folder: Path) -> str:
    made = Bundle(folder / "viewer.js", folder / "viewer.css")
    made.script.write_text("show()")
    made.style.write_text("body {}")
    return write_page(folder, made).read_text()


def test_a_failed_case_has_its_last_passing_story_beside_it(tmp_path: Path) -> None:
    """Of the newest run that passed; what passed itself has none."""
    ran(tmp_path, 1, "passed", body="1")
    ran(tmp_path, 2, "passed", body="2")
    ran(tmp_path, 3, "failed", body="3")
    page = page_of(ran(tmp_path, 4, "failed", body="4"))
    assert unpacked(page, "run")["passed"] == [["run-2", 0]]
    assert unpacked(page, "passed-0")["entries"][0]["body"] == "2"
    again = page_of(ran(tmp_path, 5, "passed"))
    assert unpacked(again, "run")["passed"] == [None]
    assert "passed-0" not in again


@pytest.mark.parametrize("text", DAMAGED)
def test_a_damaged_record_is_passed_over(tmp_path: Path, text: str) -> None:
    """The run before it is compared with; where there is none, none is."""
    (ran(tmp_path, 1, "passed") / record.NAME).write_text(text, encoding="latin-1")
    assert unpacked(page_of(ran(tmp_path, 2, "failed")), "run")["passed"] == [None]
    ran(tmp_path, 3, "passed")
    (ran(tmp_path, 4, "passed") / record.NAME).write_text(text, encoding="latin-1")
    assert unpacked(page_of(ran(tmp_path, 5, "failed")), "run")["passed"] == [["run-3", 0]]


def test_a_story_that_cannot_be_unpacked_is_passed_over(tmp_path: Path) -> None:
    path = ran(tmp_path, 1, "passed") / record.NAME
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        line["story"] = line.get("story", "")[:-8]
    path.write_text("\n".join(map(json.dumps, lines)))
    assert unpacked(page_of(ran(tmp_path, 2, "failed")), "run")["passed"] == [None]


def test_a_run_that_was_removed_leaves_the_comparison_out(tmp_path: Path) -> None:
    ran(tmp_path, 1, "passed")
    failed = ran(tmp_path, 2, "failed")
    shutil.rmtree(tmp_path / "run-1")
    assert unpacked(page_of(failed), "run")["passed"] == [None]


@pytest.mark.parametrize("run", ["../elsewhere/run-1", "run-1/", "run-9", "", ".", "run-" + "1" * 5000])
def test_no_file_of_history_leads_to_another_folder_or_a_later_run(tmp_path: Path, run: str) -> None:
    project = tmp_path / "run-1"  # as the parent of runs may be called, too
    project.mkdir()
    (tmp_path / "elsewhere").mkdir()
    ran(tmp_path / "elsewhere", 1, "passed")
    ran(project, 9, "passed")
    ran(project, 1, "passed")
    failed = ran(project, 2, "failed")
    (failed / history.NAME).write_text(json.dumps({"a.yaml::one": [[run, "passed", 1.0]]}))
    assert unpacked(page_of(failed), "run")["passed"] == [None]


@pytest.mark.parametrize("bound", ["MOST_STORIES", "MOST_BYTES"])
def test_what_has_no_room_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: str) -> None:
    story = next(read_stories(ran(tmp_path, 1, "passed", "one", "two")))
    monkeypatch.setattr(last_passed, bound, {"MOST_STORIES": 1, "MOST_BYTES": len(story)}[bound])
    page = page_of(ran(tmp_path, 2, "failed", "one", "two"))
    assert unpacked(page, "run")["passed"] == [["run-1", 0], ["run-1", None]]
    assert "passed-1" not in page


def test_repetitions_share_a_story(tmp_path: Path) -> None:
    ran(tmp_path, 1, "passed")
    page = page_of(ran(tmp_path, 2, "failed", "one", "one"))
    assert unpacked(page, "run")["passed"] == [["run-1", 0], ["run-1", 0]]
