"""The verb `fault`: what it asks of the environment, when it ends, and what is refused before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.engine.case import CaseFinished
from harness.scenario.errors import ScenarioInvalid
from harness.scenario.model import Scenario
from harness.stack import FaultEvent
from tests.unit.engine.fake import HEADER, FakeEnvironment, run_one, scenario_of


def case_of(folder: Path, *faults: str, after: str = "", header: str = HEADER) -> Scenario:
    steps = ", ".join(f"{{fault: {fault}}}" for fault in faults)
    return scenario_of(folder, f"cases: {{one: {{steps: [{steps}]}}}}\n{after}", header)


def run(folder: Path, *faults: str) -> tuple[FakeEnvironment, CaseFinished]:
    world = FakeEnvironment("worker")
    return world, run_one(case_of(folder, *faults), world)


def test_a_fault_is_asked_of_the_environment_and_ends_with_its_case(tmp_path: Path) -> None:
    """Its settings as written, `times` 1 for a fault of the broker that says none."""
    world, finished = run(
        tmp_path,
        "{on: servicebus, drop_settlement: {queue: jobs, settlement: complete}}",
        "{on: servicebus, deliver_twice: jobs, times: 3}",
        "{on: servicebus, close_connection: true}",
    )
    assert finished.outcome == "passed"
    assert world.faults.asked == [
        ("servicebus", "drop_settlement", {"queue": "jobs", "settlement": "complete"}, 1, None),
        ("servicebus", "deliver_twice", {"queue": "jobs"}, 3, None),
        ("servicebus", "close_connection", {}, 1, None),
        ("end", None),
    ]


def test_faults_are_over_before_finally_and_the_invariants(tmp_path: Path) -> None:
    """What must hold at the end must hold of a system that was left to recover."""
    header = HEADER + "always: [no_stuck_messages]\n"
    world = FakeEnvironment("worker")
    world.reset = lambda: 0  # type: ignore[method-assign]
    world.happen("enqueued", message_id="m")
    ended = world.faults.end

    def end(target: str | None = None) -> None:
        ended(target)
        world.happen("completed")

    world.faults.end = end  # type: ignore[method-assign]
    scenario = case_of(tmp_path, "{on: servicebus, deliver_twice: jobs}", header=header)
    assert run_one(scenario, world).outcome == "passed"


def test_faults_end_when_a_step_fails(tmp_path: Path) -> None:
    cases = "cases: {one: {steps: [{fault: {on: servicebus, detach: jobs}}, {queue: jobs, expect: {active: 7}}]}}\n"
    world = FakeEnvironment("worker")
    assert run_one(scenario_of(tmp_path, cases), world).outcome == "failed"
    assert world.faults.asked[-1] == ("end", None)


def test_a_target_is_cleared(tmp_path: Path) -> None:
    world, _ = run(tmp_path, "{clear: servicebus}", "{clear: all}")
    assert world.faults.asked[:2] == [("end", "servicebus"), ("end", None)]


def test_such_a_case_needs_the_ability(tmp_path: Path) -> None:
    scenario = case_of(tmp_path, "{clear: all}")
    assert scenario.requires(scenario.cases[0]) == ["faults"]


def test_the_timeline_shows_what_struck(tmp_path: Path) -> None:
    world = FakeEnvironment("worker")
    world.faults.happened.append(FaultEvent("blobs", 1.0, "fault status struck"))
    record = run_one(case_of(tmp_path, "{clear: all}"), world).record
    assert record is not None
    assert "fault status struck" in [moment.text for moment in record.moments]


@pytest.mark.parametrize(
    ("fault", "complaint"),
    [
        ("{on: servicebus}", "say exactly one of"),
        ("{on: servicebus, detach: jobs, expire_lock: jobs}", "say exactly one of"),
        ("{detach: jobs}", "say where with on"),
        ("{clear: servicebus, on: servicebus}", "clear stands alone"),
        ("{on: servicebus, detach: jobs, times: 2}", "detach has no times: it strikes once, now"),
        ("{on: servicebus, deliver_twice: jobs, for: 2s}", "deliver_twice takes no for: it is over after its times"),
        ("{on: postgres, detach: jobs}", 'there is no target "postgres"'),
        ("{on: worker, detach: jobs}", "detach is a fault of the Service Bus"),
        ("{on: servicebus, detach: job}", 'there is no queue "job"'),
        ("{on: servicebus, drop_settlement: {settlement: completed}}", '"settlement" is not one of the words'),
        ("{on: servicebus, drop_settlement: {settle: complete}}", 'unknown key "settle"'),
        ("{clear: postgres}", 'there is no target "postgres"'),
        ('"${all}"', "a fault is written out"),
    ],
)
def test_what_makes_no_sense_is_said_before_anything_starts(tmp_path: Path, fault: str, complaint: str) -> None:
    with pytest.raises(ScenarioInvalid) as refused:
        case_of(tmp_path, fault, header=HEADER + "vars: {all: 1}\n")
    assert any(complaint in problem.message for problem in refused.value.problems), refused.value.problems
