"""What the cases of a run have shown together: outcomes by queue, keywords of contracts, what is wrong with a message."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from peeklock.engine.events import CaseFinished
from peeklock.engine.operations import ContractUse
from peeklock.reports.html import contracts, operations
from peeklock.reports.html.bundle import Bundle
from peeklock.reports.html.coverage import Coverage
from peeklock.reports.html.operations import MOST_CASES, OperationCoverage
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


KNOWN = {"GET /jobs/{id}": ("200", "4XX", "default"), "POST /jobs": ("201",)}


def with_contract(**met: dict[str, int]) -> CaseFinished:
    """A case with a stand-in that has a contract; `met`: of `get` and `post`, which statuses came how often."""
    names = dict(zip(("get", "post"), KNOWN, strict=True))
    return case(contracts={"aml.yaml": ContractUse(KNOWN, {names[key]: counts for key, counts in met.items()})})


def test_operations_of_contracts_are_counted_as_they_are_written(tmp_path: Path, bundle: Bundle) -> None:
    """A status counts as itself, as its class, or as the default; what was never answered is there with nothing."""
    page = page_of(
        tmp_path, bundle, with_contract(get={"200": 2, "404": 1}), with_contract(get={"404": 1, "500": 1, "outside": 1})
    )
    assert unpacked(page, "run")["coverage"]["operations"] == [
        [
            "aml.yaml",
            [
                ["GET /jobs/{id}", [["200", 2, [0]], ["4XX", 2, [0, 1]], ["default", 1, [1]], ["outside", 1, [1]]]],
                ["POST /jobs", [["201", 0, []]]],
            ],
        ]
    ]


def test_a_record_tells_what_a_contract_knows_once(tmp_path: Path, bundle: Bundle) -> None:
    """However many cases have it; a case keeps only what it has met."""
    page_of(tmp_path, bundle, *[with_contract(get={"200": 1})] * 3)
    record = (tmp_path / "cases.ndjson").read_text()
    assert record.count("POST /jobs") == 1
    assert record.count('{"GET /jobs/{id}": {"200": 1}}') == 3


def test_a_contract_without_end_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a record, and again in what is read of one that another hand has written."""
    monkeypatch.setattr(operations, "MOST_OPERATIONS", 3)
    endless = {f"GET /{number}": ["200"] for number in range(9)}
    use = ContractUse(endless, {name: {"200": 1} for name in endless})
    assert [len(operations.known_in({"a": use})["a"]), len(operations.met_in({"a": use})["a"])] == [3, 3]
    coverage = OperationCoverage()
    coverage.declare({"a": endless})
    coverage.add(0, {"a": {f"PUT /{number}": {"200": 1} for number in range(9)}})
    assert [len(own) for _, own in coverage.data()] == [3]


@pytest.mark.parametrize("data", [None, [], {"a": 7}, {"a": {"GET /": "200"}}, {"a": {"GET /": {"200": "x"}}}])
def test_operations_that_another_hand_has_written_are_passed_over(data: Any) -> None:
    coverage = OperationCoverage()
    coverage.declare(operations.read_known(data))
    coverage.add(0, data)
    assert all(not answers for _, own in coverage.data() for _, answers in own)


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
