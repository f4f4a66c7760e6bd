"""Cases on an environment in memory: steps, waiting, captures, `finally`, failures."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from peeklock.engine.events import CaseStarted, Event, StepFinished
from peeklock.servicebus.ledger import Entry
from peeklock.stack.backend import Exit, LogLine
from peeklock.stack.errors import StackError
from tests.unit.engine.fake import HEADER, FakeEnvironment, run_one, scenario_of


def at_second_look(world: FakeEnvironment, act: Callable[[], None]) -> None:
    """Act when a case looks at the ledger for the second time: it has begun then, and waits."""
    look, looks = world.ledger, iter(range(1_000))

    def looked(after: int, wait: float = 0.0) -> tuple[list[Entry], int]:
        if next(looks) == 1:
            act()
        return look(after, wait)

    world.ledger = looked  # type: ignore[method-assign]


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
    late = threading.Thread(target=lambda: world.happen("enqueued", message_id="late"))
    look, looks = world.ledger, 0

    def looked(after: int, wait: float = 0.0) -> tuple[list[dict[str, Any]], int]:
        nonlocal looks
        looks += 1
        if looks == 3:  # the case has begun, and waits
            late.start()
        return look(after, wait)

    world.ledger = looked  # type: ignore[method-assign]
    finished = run_one(scenario_of(tmp_path, cases), world)
    late.join()
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
    at_second_look(world, lambda: world.happen("enqueued", queue="results", message_id="m"))
    failure = run_one(scenario_of(tmp_path, cases), world).failure
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


def test_settle_waits_for_the_first_receiver(tmp_path: Path) -> None:
    """A worker may say that it is ready before it has asked for messages."""
    header = HEADER.replace("consumers: [worker]", "lock_duration: 5s")
    assert header != HEADER
    world = FakeEnvironment("worker")
    world.reset = lambda _at=None: 0  # type: ignore[method-assign]
    world.happen("enqueued", message_id="m")
    failure = run_one(scenario_of(tmp_path, "cases: {one: {steps: [{settle: 200ms}]}}\n", header), world).failure
    assert failure is not None
    assert failure.notes[0] == "jobs: m is active"
    assert failure.notes[1].startswith("nobody has asked for messages in this case")


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


@pytest.mark.parametrize("written", ['"${time}"', '{within: "${time}"}', '{within: 5s, stable_for: "${short}"}'])
def test_eventually_may_be_a_variable(tmp_path: Path, written: str) -> None:
    """It is looked up when the step begins; it does not mean "look once"."""
    cases = f"""\
cases:
  one:
    vars: {{time: 5s, short: 10ms}}
    steps: [{{messages: {{queue: jobs}}, eventually: {written}, expect: {{count: 1}}}}]
"""
    world = FakeEnvironment("worker")
    at_second_look(world, lambda: world.happen("enqueued", message_id="m"))
    finished = run_one(scenario_of(tmp_path, cases), world)
    assert finished.outcome == "passed", finished.failure


def test_a_step_tells_how_often_it_has_looked(tmp_path: Path) -> None:
    """The event of a step that failed says the same as its failure."""
    cases = "cases: {one: {timeout: 300ms, steps: [{messages: {queue: jobs}, eventually: 60s, expect: {count: 1}}]}}\n"
    told: list[Event] = []
    failure = run_one(scenario_of(tmp_path, cases), FakeEnvironment("worker"), told.append).failure
    (step,) = (event for event in told if isinstance(event, StepFinished))
    assert failure is not None
    assert f"after {step.tries} tries" in failure.notes[0]


def test_what_nobody_foresaw_is_the_error_of_its_case(tmp_path: Path) -> None:
    """It is named with its step, its traceback is kept, and nothing is raised."""
    world = FakeEnvironment("worker")
    world.ledger = lambda *_: 1 / 0  # type: ignore[method-assign, assignment, return-value]
    cases = "cases: {one: {steps: [{messages: {queue: jobs}, expect: {count: 0}}]}}\n"
    finished = run_one(scenario_of(tmp_path, cases), world)
    assert finished.outcome == "error"
    assert 'an unforeseen ZeroDivisionError in the step "messages queue jobs"' in finished.reason
    assert "test.yaml:10:23" in finished.reason
    assert "1 / 0" in finished.traceback


def test_a_step_that_does_not_come_back_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The case goes on without it, and nobody uses an environment in which it may still be at work."""
    monkeypatch.setattr("peeklock.engine.stepping.GRACE", 0.1)
    monkeypatch.setattr("peeklock.engine.case.LAST_OF_ABANDONED", 0.1)
    world, gate = FakeEnvironment("worker"), threading.Event()

    def ledger(*_: Any) -> tuple[list[Entry], int]:
        if threading.current_thread().name == "step":
            gate.wait(30)
        return [], 0

    world.ledger = ledger  # type: ignore[method-assign]
    cases = "cases: {one: {timeout: 1s, steps: [{messages: {queue: jobs}, expect: {count: 0}}]}}\n"
    finished = run_one(scenario_of(tmp_path, cases), world)
    gate.set()
    assert finished.failure is not None
    assert re.match(r"messages did not come to its end in \d", finished.failure.headline)
    assert "test_case.py" in finished.failure.notes[0] or "threading.py" in finished.failure.notes[0]
    assert world.condemned


@pytest.mark.parametrize("wanted", ['contains: "with ${token}"', 'where: {key: {$contains: "${token}"}}'])
def test_a_secret_in_the_log_is_looked_for_by_its_mask(wanted: str, tmp_path: Path) -> None:
    """Lines are masked before they are kept: a look for the secret itself would never find it, and `never` would always hold."""
    header = HEADER + "secrets: {token: abcdefgh}\n"
    cases = f"cases: {{one: {{steps: [{{never: {{logs: {{{wanted}}}, for: 10ms}}}}]}}}}\n"
    finished = run_one(scenario_of(tmp_path, cases, header), FakeEnvironment("worker"))
    assert finished.failure is not None
    assert "what is looked for holds a secret, and no line does" in finished.failure.headline
    assert "abcdefgh" not in str(finished.failure)
    plain = cases.replace("${token}", "***")
    assert run_one(scenario_of(tmp_path, plain, header), FakeEnvironment("worker")).outcome == "passed"


def test_a_cause_that_the_case_allows_is_none(tmp_path: Path) -> None:
    """A dead letter that is to be expected explains nothing."""
    world = FakeEnvironment("worker")
    world.reset = lambda _at=None: 0  # type: ignore[method-assign]
    world.happen("enqueued", message_id="m")
    world.happen("dead_lettered", message_id="m", reason="Bad")
    step = "steps: [{messages: {queue: jobs}, expect: {count: 7}}]"
    for allow, cause in (("", "jobs dead-lettered m: Bad"), ("allow: [no_dead_letters], ", "")):
        failure = run_one(scenario_of(tmp_path, f"cases: {{one: {{{allow}{step}}}}}\n"), world).failure
        assert failure is not None
        assert failure.likely_cause == cause


def test_a_printed_traceback_is_told_by_its_exception(tmp_path: Path) -> None:
    """Not by its first line, which is the same for all of them."""
    world = FakeEnvironment("worker")
    world.services.logs = lambda after=0, *, late=False: (  # type: ignore[method-assign]
        [
            LogLine("worker", 0, 0.0, text, None)
            for text in (
                "Traceback (most recent call last):",
                '  File "/app/worker.py", line 3, in f',
                "KeyError: 'id'",
            )
        ],
        0,
    )
    cases = "always: [no_error_logs]\ncases: {one: {steps: [{set: {a: 1}}]}}\n"
    failure = run_one(scenario_of(tmp_path, cases), world).failure
    assert failure is not None
    assert failure.headline == "no_error_logs: worker logged a traceback: KeyError: 'id' at app/worker.py:3"


def test_what_is_gone_with_the_reset_is_hinted_at(tmp_path: Path) -> None:
    """A table that a service makes at its start is not there in the second case."""
    world = FakeEnvironment("worker")
    world.services.logs = lambda after=0, *, late=False: (  # type: ignore[method-assign]
        [LogLine("worker", 0, 0.0, 'psycopg.errors.UndefinedTable: relation "jobs" does not exist', None)],
        0,
    )
    failure = run_one(
        scenario_of(tmp_path, "cases: {one: {steps: [{messages: {queue: jobs}, expect: {count: 1}}]}}\n"), world
    ).failure
    assert failure is not None
    assert "declare it in `stack.postgres.migrations`" in failure.likely_cause
