"""What a scenario may say: lists, waiting, what was set, other variables for a service."""

from __future__ import annotations

from pathlib import Path

import pytest

from peeklock.engine.events import CaseFinished
from peeklock.scenario.errors import ScenarioInvalid
from tests.unit.engine.fake import HEADER, FakeEnvironment, run_one, scenario_of

HEAD = HEADER + "vars: {names: [a, b, c], short: 50ms}\n"


def ended(folder: Path, steps: str, world: FakeEnvironment | None = None) -> CaseFinished:
    return run_one(scenario_of(folder, f"cases: {{one: {{steps: [{steps}]}}}}\n", HEAD), world or FakeEnvironment())


def test_what_was_set_or_captured_can_be_expected(tmp_path: Path) -> None:
    steps = "{run: {command: [echo, hi]}, capture: {said: stdout}}, {set: {it: '${said}', n: 1}, expect: {n: 2}}"
    failure = ended(tmp_path, steps).failure
    assert failure is not None
    assert [(m.path, m.expected, m.actual) for m in failure.mismatches] == [("n", "2", "1")]


def test_a_fragment_is_used_once_for_each_item_of_a_list(tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text(
        "fragment: f\ninputs: [name, at]\noutputs: [seen]\nsteps: [{set: {seen: '${at}${name}'}}]\n", encoding="utf-8"
    )
    steps = (
        "{use: f.yaml, times: '${names}', with: {name: '${item}', at: '${index}'}, outputs: [seen]}, "
        "{set: {last: '${seen}'}, expect: {last: 2c}}"
    )
    assert ended(tmp_path, steps).outcome == "passed"


@pytest.mark.parametrize("times", ["0", "'${short}'", "-1"])
def test_times_that_is_no_number_and_no_list_is_an_error(tmp_path: Path, times: str) -> None:
    (tmp_path / "f.yaml").write_text("fragment: f\nsteps: [{set: {a: 1}}]\n", encoding="utf-8")
    try:
        failure = ended(tmp_path, f"{{use: f.yaml, times: {times}}}").failure
        text = failure.headline if failure else ""
    except ScenarioInvalid as error:
        text = str(error)
    assert "a whole number from 1" in text


def test_wait_takes_its_time_and_no_more_than_the_case_has(tmp_path: Path) -> None:
    finished = ended(tmp_path, "{wait: '${short}'}")
    assert finished.outcome == "passed"
    assert finished.durations.waiting >= 0.05
    cases = "cases: {one: {timeout: 100ms, steps: [{wait: 1h}]}}\n"
    failure = run_one(scenario_of(tmp_path, cases), FakeEnvironment()).failure
    assert failure is not None
    assert "used up its 0.1 s" in failure.headline


def test_settle_may_ask_for_so_many_messages(tmp_path: Path) -> None:
    failure = ended(tmp_path, "{settle: {queues: [results], at_least: 1, within: 50ms}}").failure
    assert failure is not None
    assert "0 of at least 1 messages have come" in failure.notes


def test_eventually_without_a_time_has_the_files_own(tmp_path: Path) -> None:
    cases = "defaults: {eventually: 50ms}\ncases: {one: {steps: [{messages: {queue: jobs}, eventually: , expect: {count: 1}}]}}\n"
    failure = run_one(scenario_of(tmp_path, cases, HEADER), FakeEnvironment("worker")).failure
    assert failure is not None
    assert "0.05 s are over" in failure.notes[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("{topic: nws}", 'there is no topic "nws"'),
        ("{topic: news, subscription: al}", 'there is no subscription "al"'),
        ("{topic: news, queue: jobs}", "say exactly one of queue or topic"),
        ("{queue: jobs, subscription: all}", "subscription is of a topic"),
        ("{topic: news, dead_letter: true}", "a topic has no dead-letter queue"),
    ],
)
def test_messages_of_a_topic_that_is_not_there_are_an_error(tmp_path: Path, arguments: str, message: str) -> None:
    header = "scenario: x\nstack: {servicebus: {queues: {jobs: {}}, topics: {news: {subscriptions: {all: {}}}}}}\n"
    with pytest.raises(ScenarioInvalid, match=message):
        scenario_of(tmp_path, f"cases: {{a: {{steps: [{{messages: {arguments}, expect: {{count: 0}}}}]}}}}\n", header)


def test_a_case_tells_a_service_other_variables(tmp_path: Path) -> None:
    """By the names of its row and its vars; a case that says nothing takes them back."""
    cases = """\
cases:
  one:
    services: {worker: {env: {MODE: "${m}-${word}", CASE: "${case.name}"}}}
    matrix: {m: [fast]}
    vars: {word: lane}
    steps: [{set: {a: 1}}]
"""
    world = FakeEnvironment("worker")
    assert run_one(scenario_of(tmp_path, cases), world).outcome == "passed"
    told = world.services.told_besides
    assert told[0] is not None
    assert told[0](world.endpoints, {}) == {"worker": {"MODE": "fast-lane", "CASE": "one[fast]"}}
    assert run_one(scenario_of(tmp_path, "cases: {one: {steps: [{set: {a: 1}}]}}\n"), world).outcome == "passed"
    assert told[1] is None


@pytest.mark.parametrize(
    ("services", "message"),
    [
        ("{wrker: {env: {A: 1}}}", 'there is no service "wrker"'),
        ("{worker: {env: {A: '${b}'}}}", '"b" is not defined here'),
        ("{worker: {replicas: 2}}", 'unknown key "replicas"'),
    ],
)
def test_a_case_that_tells_nobody_or_nothing_is_an_error(tmp_path: Path, services: str, message: str) -> None:
    with pytest.raises(ScenarioInvalid, match=message):
        scenario_of(tmp_path, f"cases: {{a: {{services: {services}, steps: [{{set: {{a: 1}}}}]}}}}\n")
