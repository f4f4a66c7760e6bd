"""What the cases of a run have shown together: outcomes by queue, keywords of contracts, what is wrong with a message."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from peeklock.engine.events import CaseFinished
from peeklock.reports.html import contracts
from peeklock.reports.html.bundle import Bundle
from peeklock.reports.html.coverage import MOST_CASES, Coverage
from peeklock.scenario.topology import Queue
from peeklock.servicebus.ledger import AboutMessage, EventKind
from tests.unit.reports.html.test_page import STARTED, bundle, case, enqueued, page_of, unpacked

__all__ = ["bundle"]

SCHEMA = {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}}}


def with_queue(folder: Path, *bodies: str, schema: Any = SCHEMA) -> CaseFinished:
    """A case with a message for each body, in a queue that has a schema."""
    path = folder / "job.json"
    path.write_text(json.dumps(schema))
    entries = tuple(replace(enqueued(body), number=number) for number, body in enumerate(bodies, 1))
    return case(entries=entries, queues={"jobs": Queue.model_validate({"schema": path}), "other": Queue()})


def test_outcomes_are_counted_by_queue_and_lead_to_their_cases(tmp_path: Path, bundle: Bundle) -> None:
    """A queue that nothing was sent to is there, with nothing."""
    done = replace(enqueued(), event=EventKind.DEAD_LETTERED, entity="JOBS", subject=AboutMessage(1, "m"))
    queues = {"jobs": Queue(), "idle": Queue()}
    page = page_of(tmp_path, bundle, case(queues=queues), case(queues=queues, entries=(done, done)))
    found = unpacked(page, "run")["coverage"]
    assert found["queues"] == [["idle", {}], ["jobs", {"dead_lettered": [2, [1]]}]]
    assert {"completed", "expired", "duplicate_dropped"} <= set(found["outcomes"])


def test_keywords_are_counted_over_all_cases(tmp_path: Path, bundle: Bundle) -> None:
    page = page_of(tmp_path, bundle, with_queue(tmp_path, '{"id": 1}'), with_queue(tmp_path, "{}", '{"id": 2}'))
    [[queue, schema, keywords]] = unpacked(page, "run")["coverage"]["contracts"]
    assert (queue, schema) == ("jobs", "job.json")
    assert keywords == [
        ["", "type", '"object"', 3, 0, []],
        ["", "required", "id", 3, 1, [1]],
        ["id", "type", '"integer"', 2, 0, []],
    ]


def test_a_message_outside_its_contract_is_told_with_what_is_wrong(tmp_path: Path, bundle: Bundle) -> None:
    page = page_of(tmp_path, bundle, with_queue(tmp_path, '{"id": "x"}', '{"id": 1}'))
    first, second = unpacked(page, "story-0")["entries"]
    assert first["wrong"] == [["id", "'x' is not of type 'integer'"]]
    assert "wrong" not in second


@pytest.mark.parametrize("schema", [{"type": 7}, {"$ref": "#/$defs/none"}, []])
def test_a_schema_that_is_none_marks_nothing(tmp_path: Path, bundle: Bundle, schema: Any) -> None:
    page = page_of(tmp_path, bundle, with_queue(tmp_path, "{}", schema=schema))
    assert "wrong" not in unpacked(page, "story-0")["entries"][0]


def test_only_so_many_messages_of_a_case_are_held_to_schemas(
    tmp_path: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contracts, "MOST_MESSAGES", 2)
    page = page_of(tmp_path, bundle, with_queue(tmp_path, "{}", "{}", "{}"))
    assert unpacked(page, "run")["coverage"]["contracts"][0][2][0][3] == 2


def test_criteria_come_with_their_sentences(tmp_path: Path, bundle: Bundle) -> None:
    started = replace(STARTED, criteria={"A-1": "it works, with sig=abcdef12345"})
    page = page_of(tmp_path, bundle, case(), started=started)
    assert unpacked(page, "run")["run"]["criteria"] == {"A-1": "it works, with sig=***"}


@pytest.mark.parametrize(
    "seen",
    [None, 7, [], {"queues": 7, "contracts": []}, {"queues": {"a": {"completed": "x", "nonsense": 1}}},
     {"contracts": {"a": ["b"], "c": ["d", [[1, 2, 3, 4, 5], ["", "type", "", 1], 7]]}}],
)  # fmt: skip
def test_what_another_hand_has_written_is_passed_over(seen: Any) -> None:
    coverage = Coverage()
    coverage.add(0, seen)
    assert all(not counts for _, counts in coverage.data()["queues"])
    assert all(not keywords for _, _, keywords in coverage.data()["contracts"])


def test_of_very_many_cases_only_the_first_are_named() -> None:
    coverage = Coverage()
    for number in range(100):
        coverage.add(number, {"queues": {"a": {"completed": 1}}})
    assert coverage.data()["queues"] == [["a", {"completed": [100, list(range(MOST_CASES))]}]]
