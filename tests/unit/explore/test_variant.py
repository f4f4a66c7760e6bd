"""A case as it is explored: what acts is kept with all that it needs, what only looks is left out."""

from __future__ import annotations

from pathlib import Path

import pytest

from peeklock.explore.variant import acts, variant
from tests.unit.engine.fake import scenario_of

CASES = """\
cases:
  good:
    steps:
      - set: {number: 21}
      - send: {queue: jobs, json: {number: "${number}"}}
      - name: unused
        messages: {queue: jobs}
        eventually: 5s
        expect: {count: 1}
      - messages: {queue: results}
        eventually: 5s
        expect: {count: 1}
        capture: {first: "[0].message_id"}
      - send: {queue: jobs, json: {after: "${first}"}}
      - never: {messages: {queue: results}}
      - settle:
always: [no_error_logs, nothing_lost]
"""


def test_looks_are_left_out_unless_an_act_needs_them(tmp_path: Path) -> None:
    scenario = scenario_of(tmp_path, CASES)
    assert acts(scenario.cases[0].steps) == [0, 1, 3, 4]


def test_messages_are_waited_for_where_the_case_has_looked(tmp_path: Path) -> None:
    scenario = scenario_of(tmp_path, CASES)
    crash = {"crash": {"service": "worker", "at": {"queue": "jobs", "on": "complete"}}}
    made = variant(scenario, scenario.cases[0], [0, 1, 3, 4], [crash])
    names = [step.verb.name for step in made.case.steps]
    assert names == ["crash", "set", "send", "settle", "messages", "send"]
    assert made.scenario.header.always == []


def test_a_look_that_is_needed_is_given_the_time_that_the_case_has_waited_before(tmp_path: Path) -> None:
    scenario = scenario_of(tmp_path, CASES.replace("        eventually: 5s\n", ""))
    made = variant(scenario, scenario.cases[0], [0, 1, 3, 4])
    (look,) = [step for step in made.case.steps if step.verb.name == "messages"]
    assert look.eventually is not None


@pytest.mark.parametrize(
    ("step", "repeated"),
    [
        ("{http: {post: /orders, headers: {Idempotency-Key: a}}, expect: {status: 201}}", True),
        ("{http: {put: /orders/1}, expect: {status: 201}}", True),
        ("{http: {post: /orders}, expect: {status: 201}}", False),
    ],
)
def test_a_request_is_repeated_as_a_good_client_would(tmp_path: Path, step: str, *, repeated: bool) -> None:
    """The service may have been killed under it. One that may make a second order is left alone."""
    scenario = scenario_of(tmp_path, f"cases: {{good: {{steps: [{step}]}}}}")
    (made,) = variant(scenario, scenario.cases[0], [0]).case.steps
    assert (made.eventually is not None) == repeated
