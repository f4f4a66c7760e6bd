"""The scaler of a case, on a clock that is moved and services that run in words only."""

from __future__ import annotations

from typing import Any

import pytest

from peeklock.engine.scaler import Scaler
from peeklock.engine.waiting import Signal
from peeklock.scenario.services import Job, Scale
from peeklock.stack.backend import Exit
from peeklock.stack.errors import StackError
from tests.unit.engine.fake import FakeEnvironment, FakeServices


class Replicas(FakeServices):
    """Replicas by number, as the real ones: the lowest free numbers begin, the highest are stopped."""

    def __init__(self) -> None:
        super().__init__("worker")
        self.numbers: list[int] = []
        self.broken = False

    def scale(self, service: str, count: int) -> list[int]:
        if self.broken:
            raise StackError(f"service {service} did not become ready")
        begun = [number for number in range(50) if number not in self.numbers][: max(0, count - len(self.numbers))]
        self.numbers = sorted([*self.numbers, *begun])[:count]
        return begun

    def stop(self, service: str) -> None:
        self.done.append(f"stop {service}")
        self.numbers.remove(int(service.rpartition(".")[2]))

    def exit(self, replica: int, code: int) -> None:
        self.numbers.remove(replica)
        self.gone.append(Exit("worker", replica, 0.0, code, expected=False))

    def running(self, service: str) -> int:
        return len(self.numbers)


class Case:
    """A scaler on one queue, whose count the test sets."""

    def __init__(self, rule: Scale) -> None:
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
        )

    def queues(self) -> list[dict[str, Any]]:
        return [{"name": "jobs", "active": self.count, "locked": 0, "scheduled": 7, "dead_letter": 9}]

    def pass_time(self, seconds: float) -> None:
        self.environment.clock.advance(seconds)
        self.scaler.run_due()

    @property
    def facts(self) -> dict[str, Any]:
        return self.scaler.facts("worker")


@pytest.fixture
def begun(request: pytest.FixtureRequest) -> Any:
    cases: list[Case] = []

    def begin(**rule: Any) -> Case:
        case = Case(Scale(queue="jobs", **rule))
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
    case.services.exit(0, 1)
    case.scaler.run_due()
    assert (case.facts["begun"], case.services.numbers) == (2, [0])
    case.services.exit(0, 1)
    case.scaler.run_due()
    assert (case.facts["begun"], case.services.numbers) == (2, [])


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
