"""The written scenario: a file that loads, with the disturbance first and the right end asked for last."""

from __future__ import annotations

from pathlib import Path

import pytest

from peeklock.explore.judge import Difference
from peeklock.explore.noise import Record
from peeklock.explore.shrink import Shrunk
from peeklock.explore.written import check, write
from peeklock.scenario.loader import load
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
ROW = (("amount", "18"), ("note", "null"), ("paid", "true"), ("who", '"O\'Hara"'))


def test_it_is_an_ordinary_file_beside_the_explored_one(tmp_path: Path) -> None:
    scenario = scenario_of(tmp_path, CASES, HEADER)
    doubled = Difference("table invoices", "doubled", ROW, (), 1, 2)
    shrunk = Shrunk((0,), 2, ((doubled, ROW[:1]),))
    paths = [write(scenario, scenario.cases[2], shrunk, "worker dies", [CRASH]) for _ in range(2)]
    assert [path.name for path in paths] == ["test_found_good_18_1.yaml", "test_found_good_18_2.yaml"]
    found = load(paths[0], VOCABULARY)
    assert [case.name for case in found.cases] == ["good_disturbed[18]"]
    assert [step.verb.name for step in found.cases[0].steps] == ["crash", "send", "settle", "db"]
    assert "the real one" in paths[0].read_text()


@pytest.mark.parametrize(
    ("place", "telling", "expected"),
    [
        (
            "table invoices",
            ROW,
            {"query": "SELECT count(*) AS rows FROM invoices WHERE amount::text = '18' AND note IS NULL AND paid::text = "
            "'true' AND who::text = 'O''Hara'"},
        ),
        ("queue orders", (("body.id", '"a"'), ("outcome", '"completed"')), {"queue": "orders", "where": {"body": {"id": "a"}, "outcome": "completed"}}),
        ("stand-in bank", (("method", '"POST"'),), {"to": "bank", "where": {"method": "POST"}}),
        ("container images", (), {"list": "images"}),
    ],
)  # fmt: skip
def test_each_place_is_looked_at_by_its_verb(place: str, telling: Record, expected: dict[str, object]) -> None:
    step = check(Difference(place, "doubled", telling, (), 1, 2), telling)
    assert step is not None
    assert next(iter(step.values())) == expected


def test_a_message_is_told_from_duplicates_of_it_that_were_dropped() -> None:
    doubled = Difference("queue orders", "doubled", (("body.id", '"a"'), ("outcome", '"completed"')), (), 1, 2)
    step = check(doubled, (("body.id", '"a"'),))
    assert step is not None
    assert step["messages"]["where"] == {"body": {"id": "a"}, "outcome": "completed"}


def test_a_rule_is_left_to_the_invariants_of_the_file() -> None:
    assert check(Difference("rule", "nothing_lost: …"), ()) is None
