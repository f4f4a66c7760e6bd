"""Cases on an environment in memory: steps, waiting, captures, `finally`, failures."""

from __future__ import annotations

import threading
from datetime import datetime
from pathlib import Path
from typing import Any

from peeklock.engine.events import CaseStarted, Event, StepFinished
from peeklock.stack.backend import Exit
from peeklock.stack.errors import StackError
from tests.unit.engine.fake import HEADER, FakeEnvironment, run_one, scenario_of


def test_a_case_that_passes_tells_of_each_step(tmp_path: Path) -> None:
    scenario = scenario_of(
        tmp_path, "cases: {one: {steps: [{set: {a: 1}}, {name: named, messages: {queue: jobs}, expect: {count: 0}}]}}\n"
    )
    events: list[Event] = []
    finished = run_one(scenario, FakeEnvironment("worker"), events.append)
    assert finished.outcome == "passed"
    assert isinstance(events[0], CaseStarted)
    assert [(event.verb, event.name, event.ok) for event in events if isinstance(event, StepFinished)] == [
        ("set", "set", True),
        ("messages", "named", True),
    ]


def test_a_failure_points_at_the_line_and_tells_expected_and_actual(tmp_path: Path) -> None:
    cases = """\
cases:
  one:
    steps:
      - messages: {queue: jobs}
        expect: {count: 1, each: {body: {answer: "YES"}}}
"""
    world = FakeEnvironment("worker")
    world.reset = lambda _at=None: 0  # type: ignore[method-assign]
    world.happen("enqueued", message_id="m", body={"answer": "NO"})
    failure = run_one(scenario_of(tmp_path, cases), world).failure
    assert failure is not None
    assert failure.where == "test.yaml:14:42"
    assert failure.excerpt[1].strip(" |") == "^" * len('answer: "YES"')
    assert [(m.path, m.expected, m.actual) for m in failure.mismatches] == [("body.answer", '"YES"', '"NO"')]


def test_eventually_wakes_on_the_entry(tmp_path: Path) -> None:
    cases = "cases: {one: {steps: [{messages: {queue: jobs}, eventually: 5s, expect: {count: 1}, capture: {id: '[0].message_id'}}, {set: {x: '${id}'}}]}}\n"
    world = FakeEnvironment("worker")
    timer = threading.Timer(0.05, lambda: world.happen("enqueued", message_id="late"))
    reset = world.reset

    def begin(at: datetime | None = None) -> int:
        timer.start()
        return reset(at)

    world.reset = begin  # type: ignore[method-assign]
    finished = run_one(scenario_of(tmp_path, cases), world)
    timer.join()
    assert finished.outcome == "passed"
    assert finished.durations.waiting > 0


def test_waiting_ends_when_a_service_has_died(tmp_path: Path) -> None:
    cases = "cases: {one: {steps: [{messages: {queue: jobs}, eventually: 4s, expect: {count: 1}}]}}\n"
    world = FakeEnvironment("worker")

    look, looks = world.ledger, 0

    def looked(after: int, wait: float = 0.0) -> tuple[list[dict[str, Any]], int]:
        nonlocal looks
        looks += 1
        if looks == 3:  # the case has begun, and waits
            world.services.gone.append(Exit("worker", 0, 0.0, -9, expected=False))
            world.wake()
        return look(after, wait)

    world.ledger = looked  # type: ignore[method-assign]
    failure = run_one(scenario_of(tmp_path, cases), world).failure
    assert failure is not None
    assert "worker exited with signal 9" in failure.notes[0]
    assert failure.notes[0].startswith("stopped early")
    assert failure.likely_cause == "worker exited by itself with signal 9"


def test_waiting_ends_when_fail_if_comes_true(tmp_path: Path) -> None:
    cases = """\
cases:
  one:
    steps:
      - messages: {queue: jobs}
        eventually: {within: 4s, fail_if: {contains: {outcome: dead_lettered}}}
        expect: {count: 1, each: {outcome: completed}}
"""
    world = FakeEnvironment("worker")
    world.reset = lambda _at=None: 0  # type: ignore[method-assign]
    world.happen("enqueued", message_id="m")
    world.happen("dead_lettered", reason="Bad", message_id="m")
    failure = run_one(scenario_of(tmp_path, cases), world).failure
    assert failure is not None
    assert "what `fail_if` says has come true" in failure.notes[0]
    assert failure.likely_cause == "jobs dead-lettered m: Bad"


def test_the_nearest_candidate_is_named(tmp_path: Path) -> None:
    cases = "cases: {one: {steps: [{messages: {queue: jobs, where: {message_id: wanted}}, expect: {count: 1}}]}}\n"
    world = FakeEnvironment("worker")
    world.reset = lambda _at=None: 0  # type: ignore[method-assign]
    world.happen("enqueued", message_id="other")
    failure = run_one(scenario_of(tmp_path, cases), world).failure
    assert failure is not None
    assert failure.notes == ('nearest   1 others; "other": message_id is "other", not "wanted"',)


def test_finally_runs_after_a_failure_too(tmp_path: Path) -> None:
    cases = (
        "cases: {one: {steps: [{messages: {queue: jobs}, expect: {count: 1}}]}}\nfinally: [{service: {stop: worker}}]\n"
    )
    world = FakeEnvironment("worker")
    assert run_one(scenario_of(tmp_path, cases), world).outcome == "failed"
    assert world.services.done == ["stop worker"]


def test_never_fails_when_it_comes_true(tmp_path: Path) -> None:
    cases = "cases: {one: {steps: [{never: {messages: {queue: results}, for: 300ms}}]}}\n"
    assert run_one(scenario_of(tmp_path, cases), FakeEnvironment("worker")).outcome == "passed"
    world = FakeEnvironment("worker")
    timer = threading.Timer(0.05, lambda: world.happen("enqueued", queue="results", message_id="m"))
    timer.start()
    failure = run_one(scenario_of(tmp_path, cases), world).failure
    timer.join()
    assert failure is not None
    assert failure.headline.startswith("what must never come true did")


def test_settle_waits_for_consumed_queues_only(tmp_path: Path) -> None:
    cases = "cases: {one: {steps: [{settle: 200ms}]}}\n"
    world = FakeEnvironment("worker")
    world.reset = lambda _at=None: 0  # type: ignore[method-assign]
    world.happen("enqueued", queue="results", message_id="nobody consumes it")
    assert run_one(scenario_of(tmp_path, cases), world).outcome == "passed"
    world.happen("enqueued", message_id="m")
    failure = run_one(scenario_of(tmp_path, cases), world).failure
    assert failure is not None
    assert failure.headline == "not settled: 0.2 s are over"
    assert failure.notes == ("jobs: m is active",)


def test_a_case_does_not_outlast_its_timeout(tmp_path: Path) -> None:
    cases = "cases: {one: {timeout: 200ms, steps: [{messages: {queue: jobs}, eventually: 60s, expect: {count: 1}}, {set: {a: 1}}]}}\n"
    failure = run_one(scenario_of(tmp_path, cases), FakeEnvironment("worker")).failure
    assert failure is not None
    assert "gave up after" in failure.notes[0]


def test_a_fragment_runs_with_its_own_names(tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text(
        "fragment: f\ninputs: {who: nobody}\noutputs: [said]\nsteps: [{set: {said: 'hello ${who}', x: 2}}]\n"
    )
    cases = """\
cases:
  one:
    steps:
      - set: {x: 1}
      - use: f.yaml
        with: {who: you}
        outputs: [said]
      - messages: {queue: jobs, where: {message_id: "${said} ${x}"}}
        expect: {count: 1}
"""
    world = FakeEnvironment("worker")
    world.reset = lambda _at=None: 0  # type: ignore[method-assign]
    world.happen("enqueued", message_id="hello you 1")
    assert run_one(scenario_of(tmp_path, cases), world).outcome == "passed"


def test_a_fragment_is_run_as_often_as_it_says(tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text("fragment: f\nsteps: [{name: once, set: {x: 1}}]\n")
    cases = "cases:\n  one:\n    steps:\n      - set: {often: 3}\n      - {use: f.yaml, times: '${often}'}\n"
    events: list[Event] = []
    assert run_one(scenario_of(tmp_path, cases), FakeEnvironment("worker"), events.append).outcome == "passed"
    assert [event.name for event in events if isinstance(event, StepFinished)].count("once") == 3


def test_secrets_are_redacted_in_a_failure(tmp_path: Path) -> None:
    header = HEADER + "secrets: {password: hunter2hunter2}\n"
    cases = (
        "cases: {one: {steps: [{messages: {queue: jobs, where: {message_id: '${password}'}}, expect: {count: 1}}]}}\n"
    )
    world = FakeEnvironment("worker")
    world.reset = lambda _at=None: 0  # type: ignore[method-assign]
    world.happen("enqueued", message_id="other")
    world.log("worker", event="using hunter2hunter2", level="error")
    failure = run_one(scenario_of(tmp_path, cases, header), world).failure
    assert "hunter2" not in str(failure)
    assert "***" in str(failure)


def test_a_stack_that_dies_in_the_middle_is_an_error_and_no_failure(tmp_path: Path) -> None:
    """It says nothing about the case; the run goes on with the next one."""
    cases = "cases: {one: {steps: [{messages: {queue: jobs}, expect: {count: 1}}]}}\n"
    world = FakeEnvironment("worker")

    def gone(after: int, wait: float = 0.0) -> tuple[list[dict[str, object]], int]:
        raise StackError("Service Bus has ended with code -9", fix="look into its log")

    world.ledger = gone  # type: ignore[method-assign]
    finished = run_one(scenario_of(tmp_path, cases), world)
    assert finished.outcome == "error"
    assert finished.reason.startswith("Service Bus has ended with code -9")
    assert finished.failure is None
