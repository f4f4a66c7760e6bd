"""A case as it is read from the folder of a run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from peeklock.errors import PeeklockError
from peeklock.reports.html.record import RunRecord
from peeklock.reports.stored_case import find_case
from peeklock.stack.backend import Exit, LogLine
from tests.unit.reports.html.test_page import STARTED, case, enqueued
from tests.unit.reports.test_reports import FAILURE


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A killed run: no RunFinished, and a line that is half written."""
    record = RunRecord(tmp_path)
    line = LogLine("api", 0, 100.2, '{"event": "hello", "level": "error"}', {"event": "hello", "level": "error"})
    seen = case(entries=(enqueued('{"a": 1}'),), lines=(line,), exits=(Exit("api", 0, 100.9, 1, False),))
    failed = replace(seen, case="a.yaml::two", outcome="failed", failure=FAILURE)
    for event in (STARTED, seen, failed, replace(seen, case="a.yaml::two", repeat=1)):
        record(event)
    with (tmp_path / "cases.ndjson").open("a", encoding="utf-8") as file:
        file.write('{"case": {"file"')
    return tmp_path


def test_a_passed_case_has_its_timeline_from_what_is_kept(folder: Path) -> None:
    found = find_case(folder, "one")
    told = found.as_json()
    assert [(each["ms"], each["actor"], each["text"]) for each in told["timeline"]] == [
        (200.0, "api", "ERROR hello"),
        (500.0, "jobs", "enqueued seq 1"),
        (900.0, "api", "exited, code 1"),
    ]
    assert told["ledger"][0]["body"] == {"a": 1}
    assert told["format"] == 1


def test_of_repetitions_the_one_that_failed_is_found(folder: Path) -> None:
    """With its failure as it was told in the run."""
    found = find_case(folder, "a.yaml::two")
    assert found.as_json()["outcome"] == "failed"
    assert found.as_json()["cause"] == FAILURE.likely_cause
    assert found.finished.failure == replace(
        FAILURE, mismatches=(replace(FAILURE.mismatches[0], source=()),), timeline=tuple(found.timeline())
    )


@pytest.mark.parametrize(
    ("name", "said"),
    [("twoo", "one of a.yaml::two\n"), ("a.yaml", "2 cases of"), ("zzz", "one of a.yaml::one, a.yaml::two")],
)
def test_a_wrong_name_gets_those_that_are_near(folder: Path, name: str, said: str) -> None:
    with pytest.raises(PeeklockError) as error:
        find_case(folder, name)
    assert said in str(error.value)
