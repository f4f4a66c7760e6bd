"""The written scenario: a file that loads, with the disturbance first and the right end asked for last."""

from __future__ import annotations

from pathlib import Path

import pytest

from peeklock.explore.judge import Asked
from peeklock.explore.kind import Disturbance
from peeklock.explore.locks import SHORT, shortened, written
from peeklock.explore.noise import Record
from peeklock.explore.shrink import Shrunk
from peeklock.explore.written import check, write
from peeklock.scenario.loader import load, read_steps
from peeklock.verbs import VOCABULARY
from tests.unit.engine.fake import scenario_of

HEADER = """\
# What invoices must be like.
scenario: Invoices
stack:
  postgres: {}
  blobs: {containers: [images]}
  servicebus: {queues: {orders: {consumers: [worker]}}}
  http: {bank: {routes: [{post: /, respond: {status: 200}}]}}
services:
  worker: {run: [python]} #                 the real one
"""
CASES = """\
cases:
  other: {steps: [{settle: }]}
  good:
    matrix: {amount: [17, 18]}
    steps:
      - send: {queue: orders, json: {amount: "${amount}"}}
      - messages: {queue: orders}
        expect: {count: 1}
"""
CRASH = {"crash": {"service": "worker", "at": {"queue": "orders", "on": "complete", "by": "worker"}}}
DIES = Disturbance(("dies_before",), "worker dies", (CRASH,), 0)
ROW = (("amount", "18"), ("note", "null"), ("paid", "true"), ("who", '"O\'Hara"'))


def test_it_is_an_ordinary_file_beside_the_explored_one(tmp_path: Path) -> None:
    scenario = scenario_of(tmp_path, CASES, HEADER)
    shrunk = Shrunk((0,), 2, (Asked("table invoices", ROW[:1], 1),))
    paths = [write(scenario, scenario.cases[2], shrunk, DIES, {}) for _ in range(2)]
    assert [path.name for path in paths] == ["test_found_good_18_1.yaml", "test_found_good_18_2.yaml"]
    found = load(paths[0], VOCABULARY)
    assert [case.name for case in found.cases] == ["good_disturbed[18]"]
    assert [step.verb.name for step in found.cases[0].steps] == ["crash", "send", "settle", "db"]
    assert "the real one" in paths[0].read_text()


def test_locks_that_were_made_short_are_short_in_it(tmp_path: Path) -> None:
    """What was found with them is found again; all else that the file says of the queue stays."""
    scenario = scenario_of(tmp_path, CASES, HEADER)
    short = shortened(scenario)
    stack = written(short, scenario)
    assert stack == {"queues": {"orders": {"lock_duration": "5s"}}}
    found = load(write(scenario, scenario.cases[2], Shrunk((0,), 2, ()), DIES, stack), VOCABULARY)
    bus = found.header.stack.servicebus
    assert bus is not None
    assert (bus.queues["orders"].lock_duration, bus.queues["orders"].consumers) == (SHORT, ["worker"])


def test_locks_stay_as_they_are_where_the_file_wants_it(tmp_path: Path) -> None:
    scenario = scenario_of(tmp_path, CASES, f"{HEADER}explore: {{short_locks: false}}\n")
    assert shortened(scenario) is scenario


@pytest.mark.parametrize(
    ("place", "fields", "expected"),
    [
        (
            "table invoices",
            ROW,
            {"query": "SELECT count(*) AS rows FROM invoices WHERE amount::text = '18' AND note IS NULL AND paid::text = "
            "'true' AND who::text = 'O''Hara'"},
        ),
        ("queue orders", (("body.id", '"a"'), ("outcome", '"completed"')), {"queue": "orders", "where": {"body": {"id": "a"}, "outcome": "completed"}}),
        ("queue orders", (("history", '{"$contains": "lock_expired"}'),), {"queue": "orders", "where": {"history": {"$contains": "lock_expired"}}}),
        ("stand-in bank", (("method", '"POST"'),), {"to": "bank", "where": {"method": "POST"}}),
        ("container images", (), {"list": "images"}),
    ],
)  # fmt: skip
def test_each_place_is_asked_by_its_verb(
    place: str, fields: Record, expected: dict[str, object], tmp_path: Path
) -> None:
    step = check(Asked(place, fields, 1))
    assert next(iter(step.values())) == expected
    assert read_steps(scenario_of(tmp_path, CASES, HEADER), [step], VOCABULARY)


def test_of_what_may_come_again_more_are_right() -> None:
    assert check(Asked("queue orders", (), 1, at_least=True))["expect"] == {"count": {"$gte": 1}}
