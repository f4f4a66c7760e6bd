"""The scaler of a case, on a clock that is moved and services that run in words only."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from peeklock.engine.executions import NoRoom
from peeklock.engine.scaler import Scaler
from peeklock.engine.waiting import Signal
from peeklock.scenario.services import Job, Scale
from peeklock.scenario.topology import Stack
from peeklock.stack.backend import Exit
from peeklock.stack.errors import StackError
from tests.unit.engine.fake import FakeEnvironment, FakeServices


class Replicas(FakeServices):
    """Replicas by number, as the real ones: the lowest free numbers begin, the highest are stopped."""

    def __init__(self) -> None:
        super().__init__("worker")
        self.numbers: list[int] = []
        self.told: dict[int, Mapping[str, str]] = {}
        self.broken = False

    def scale(self, service: str, count: int) -> list[int]:
        if self.broken:
            raise StackError(f"service {service} did not become ready")
        begun = [number for number in range(50) if number not in self.numbers][: max(0, count - len(self.numbers))]
        self.numbers = sorted([*self.numbers, *begun])[:count]
        return begun

    def execute(self, service: str, env: Mapping[int, Mapping[str, str]], run: Sequence[str] | None = None) -> None:
        assert not {*env} & {*self.numbers}
        self.told |= env
        self.numbers = sorted([*self.numbers, *env])

    def stop(self, service: str) -> None:
        self.done.append(f"stop {service}")
        self.numbers.remove(int(service.rpartition(".")[2]))

    def exit(self, replica: int, code: int) -> None:
        self.numbers.remove(replica)
        self.gone.append(Exit("worker", replica, time.time(), code, expected=False))

    def running(self, service: str) -> int:
        return len(self.numbers)


class Case:
    """A scaler on one queue, whose count the test sets."""

    def __init__(self, rule: Scale, stack: Stack | None = None) -> None:
        self.environment = FakeEnvironment("worker")
        self.services = self.environment.services = Replicas()
        self.count = 0
        self.environment.queues = self.queues  # type: ignore[method-assign]
        self.stopped: set[str] = set()
        self.notes: list[str] = []
        self.scaler = Scaler(
            self.environment,  # type: ignore[arg-type]
            {"worker": rule},
            Signal(),
            lambda actor, text: self.notes.append(f"{actor}: {text}"),
            self.stopped,
            stack or Stack(),
        )

    def queues(self) -> list[dict[str, Any]]:
        return [{"name": "jobs", "active": self.count, "locked": 0, "scheduled": 7, "dead_letter": 9}]

    def pass_time(self, seconds: float) -> None:
        self.environment.clock.advance(seconds)
        self.scaler.run_due()

    def start(self) -> dict[str, Any]:
        return self.scaler.start("worker", {}, None)

    def exit(self, replica: int, code: int) -> None:
        self.services.exit(replica, code)
        self.scaler.run_due()

    def executions(self, *facts: str) -> list[Any]:
        found = [tuple(each[fact] for fact in facts) for each in self.facts["executions"]]
        return [one for (one,) in found] if len(facts) == 1 else found

    @property
    def facts(self) -> dict[str, Any]:
        return self.scaler.facts("worker")


@pytest.fixture
def begun(request: pytest.FixtureRequest) -> Any:
    cases: list[Case] = []

    def begin(stack: Stack | None = None, **rule: Any) -> Case:
        case = Case(
            Scale(**rule) if "job" in rule and rule["job"].trigger != "event" else Scale(queue="jobs", **rule), stack
        )
        case.scaler.begin()
        cases.append(case)
        return case

    yield begin
    for case in cases:
        case.scaler.end()


def test_every_look_that_is_due_is_made_when_the_clock_has_jumped(begun: Any):
    case = begun()
    case.count = 100
    case.pass_time(60)
    assert case.facts["steps"] == [0, 1, 10]
    assert [each["at"] for each in case.facts["history"]] == pytest.approx([30, 60], abs=1)
    case.count = 0
    case.pass_time(270)
    assert case.facts["replicas"] == 1
    case.pass_time(60)
    assert (case.facts["steps"], case.services.numbers) == ([0, 1, 10, 1, 0], [])
    assert "worker: scaled 1 → 0: no work for 300 s" in case.notes


def test_scheduled_and_dead_lettered_messages_are_no_work(begun: Any):
    case = begun()
    case.pass_time(300)
    assert case.facts["steps"] == [0]


def test_the_clock_of_the_machine_makes_looks_due_as_well(begun: Any):
    case = begun(polling="20ms")
    case.count = 1
    scaled = case.scaler
    for _ in range(200):
        if case.facts["replicas"]:
            break
        scaled._signal.wait(scaled._signal.count, 0.02)
    assert case.facts["replicas"] == 1


def test_a_service_that_a_step_has_stopped_is_left_alone(begun: Any):
    case = begun()
    case.stopped.add("worker")
    case.count = 100
    case.pass_time(90)
    assert case.facts["steps"] == [0]


def test_nobody_is_sent_away_while_the_queue_cannot_be_asked(begun: Any):
    case = begun()
    case.count = 1
    case.pass_time(30)
    case.environment.queues = list
    case.pass_time(600)
    assert case.facts["steps"] == [0, 1]


def test_a_replica_that_does_not_become_ready_is_told_at_the_end(begun: Any):
    case = begun()
    case.services.broken = True
    case.count = 1
    case.pass_time(30)
    (trouble,) = case.scaler.end()
    assert trouble.startswith("scaling worker: service worker did not become ready")


def test_an_execution_that_failed_is_begun_again_as_often_as_the_rule_says(begun: Any):
    case = begun(messages=1, job=Job(retries=1))
    case.count = 1
    case.pass_time(30)
    assert (case.facts["begun"], case.services.numbers) == (1, [0])
    case.count = 0
    case.services.exit(0, 1)
    case.scaler.run_due()
    assert (case.executions("status", "attempts"), case.services.numbers) == ([("running", 2)], [0])
    case.services.exit(0, 1)
    case.scaler.run_due()
    assert (case.executions("status", "attempts"), case.services.numbers) == ([("failed", 2)], [])
    assert case.executions("reason") == ["worker.0 exited with code 1 at the last of 2 attempts"]


def test_an_execution_that_has_done_its_work_is_not_begun_again(begun: Any):
    case = begun(messages=1, job=Job(retries=5))
    case.count = 2
    case.pass_time(30)
    case.count = 0
    case.services.exit(0, 0)
    case.services.exit(1, 0)
    case.scaler.run_due()
    assert (case.facts["begun"], case.facts["replicas"], case.facts["steps"]) == (2, 0, [0, 2, 1, 0])


def test_an_execution_that_takes_too_long_is_ended(begun: Any):
    case = begun(messages=1, job=Job(timeout="60s"))
    case.count = 1
    case.pass_time(30)
    case.count = 0
    case.pass_time(30)
    assert case.services.numbers == [0]
    case.pass_time(30)
    assert (case.services.done, case.services.numbers) == (["stop worker.0"], [])


def test_an_execution_has_succeeded_when_enough_replicas_have_and_the_others_are_ended(begun: Any):
    case = begun(job=Job(trigger="manual", parallelism=3, completion_count=2))
    assert case.start()["replicas"] == ["worker.0", "worker.1", "worker.2"]
    case.exit(1, 0)
    case.exit(0, 0)
    assert case.executions("status", "succeeded", "failed") == [("succeeded", 2, 0)]
    assert (case.services.done, case.services.numbers) == (["stop worker.2"], [])


def test_an_execution_has_failed_when_too_few_replicas_are_left(begun: Any):
    case = begun(job=Job(trigger="manual", parallelism=3, completion_count=2))
    case.start()
    case.exit(0, 1)
    assert case.executions("status") == ["running"]
    case.exit(1, 7)
    assert case.executions("status", "reason") == [("failed", "worker.1 exited with code 7")]
    assert case.services.numbers == []


def test_each_replica_has_retries_of_its_own(begun: Any):
    case = begun(job=Job(trigger="manual", parallelism=2, completion_count=2, retries=1))
    case.start()
    case.exit(0, 1)
    case.exit(1, 1)
    assert (case.executions("status", "attempts"), case.services.numbers) == ([("running", 4)], [0, 1])
    names = [case.services.told[number]["CONTAINER_APP_REPLICA_NAME"] for number in (0, 1)]
    assert names == ["worker-1-3", "worker-1-4"]


def test_executions_run_side_by_side_until_there_is_no_more_room(begun: Any):
    case = begun(max=2, job=Job(trigger="manual", parallelism=2))
    case.start()
    assert case.start()["replicas"] == ["worker.2", "worker.3"]
    with pytest.raises(NoRoom, match="2 executions of worker run already"):
        case.start()
    case.exit(0, 0)
    assert case.start()["name"] == "worker-3"


def test_a_replica_that_was_killed_is_started_again_when_its_service_may_run(begun: Any):
    case = begun(job=Job(trigger="manual", retries=1))
    case.start()
    case.stopped.add("worker")
    case.exit(0, -9)
    assert (case.executions("status"), case.services.numbers) == (["running"], [])
    case.stopped.clear()
    case.scaler.run_due()
    assert case.services.numbers == [0]


def test_a_schedule_begins_one_execution_at_its_moment(begun: Any):
    case = begun(job=Job(trigger="schedule", cron="* * * * *"))
    case.pass_time(59 - time.time() % 60)
    if not case.facts["begun"]:  # the minute has not passed by itself meanwhile
        case.pass_time(2)
    (why,) = case.executions("why")
    assert re.fullmatch(r"due at \d{4}-\d\d-\d\dT\d\d:\d\d:00Z", why)


def test_a_jump_over_several_moments_of_a_schedule_begins_the_last(begun: Any):
    case = begun(job=Job(trigger="schedule", cron="0 * * * *"))
    case.pass_time(3 * 3600)
    ((why, at),) = case.executions("why", "at")
    assert why.endswith(":00:00Z, 2 missed before it")
    assert 2 * 3600 < at <= 3 * 3600


def test_a_timeout_is_over_to_the_last_bit(begun: Any):
    """Of a fraction of a second the clock's numbers have no exact sum: what is due must be found overdue."""
    case = begun(max=50, job=Job(trigger="manual", timeout="100ms"))
    for _ in range(50):
        case.start()
        case.environment.clock.advance(0.001)
    case.pass_time(1)
    assert case.executions("reason") == [f"worker.{number} has taken 100ms" for number in range(50)]


def test_a_queue_that_cannot_be_read_begins_nothing_and_is_told(begun: Any):
    bus = {"queues": {"jobs": {}}, "access_rules": {"reader": {"rights": ["Listen"]}}}
    case = begun(Stack.model_validate({"servicebus": bus}), auth="reader")
    case.pass_time(30)
    assert case.scaler.blind == []
    case.count = 100
    case.pass_time(60)
    assert case.facts["steps"] == [0]
    assert case.scaler.blind == [
        "KEDA reads the queue jobs with the access rule reader, which has Listen but not Manage: it sees nothing"
    ]
