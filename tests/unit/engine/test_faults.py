"""The verb `fault`: what it asks of the environment, when it ends, and what is refused before anything starts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from peeklock.engine.case import CaseFinished
from peeklock.engine.environments import environment_spec, needs_relay
from peeklock.engine.failure import Moment
from peeklock.scenario.errors import ScenarioInvalid
from peeklock.scenario.model import Scenario
from peeklock.stack.backend import DatabaseTransaction, FaultEvent, Transactions
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


def test_a_kind_may_come_from_a_matrix(tmp_path: Path) -> None:
    """With its settings; since it may be any, services reach what they stand on through a relay."""
    steps = 'steps: [{fault: {on: servicebus, kind: "${kind}", settings: "${settings}"}}]'
    row = "{kind: deliver_twice, settings: {queue: jobs}}"
    scenario = scenario_of(tmp_path, f"cases: {{one: {{matrix: [{row}], {steps}}}}}\n")
    world = FakeEnvironment("worker")
    assert run_one(scenario, world).outcome == "passed"
    assert world.faults.asked[0] == ("servicebus", "deliver_twice", {"queue": "jobs"}, 1, None)
    assert needs_relay(scenario)
    misplaced = scenario_of(
        tmp_path, f"cases: {{one: {{matrix: [{row}], {steps.replace('on: servicebus', 'on: worker')}}}}}\n"
    )
    finished = run_one(misplaced, FakeEnvironment("worker"))
    assert finished.failure is not None
    assert finished.failure.headline == "deliver_twice is a fault of the Service Bus, not of worker"
    world, _ = run(tmp_path, "{on: servicebus, kind: latency, settings: 2s}")
    assert world.faults.asked[0] == ("servicebus", "latency", {"delay": 2.0}, None, None)


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("{on: servicebus, kind: latencey}", 'there is no fault "latencey": did you mean "latency"?'),
        ("{on: servicebus, kind: down, down: true}", "say kind, or down"),
        ('{on: servicebus, kind: "${case.name}", down: true}', "say kind, or down"),
        ("{on: servicebus, down: true, settings: 1}", "settings go with kind"),
        ("{on: servicebus, kind: status, settings: 503}", "status is a fault of what speaks HTTP"),
    ],
)
def test_a_kind_that_cannot_be_is_refused(fault: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(ScenarioInvalid) as caught:
        case_of(tmp_path, fault)
    assert told in str(caught.value)


def test_a_replica_is_a_target_where_there_are_several(tmp_path: Path) -> None:
    header = HEADER.replace("{run: [python]}", "{run: [python], replicas: 2}")
    assert case_of(tmp_path, "{on: worker.1, down: true}", "{on: worker, down: true}", header=header)
    for name, where in (("worker.2", header), ("worker.0", HEADER)):
        with pytest.raises(ScenarioInvalid, match=f'no target "{name}"'):
            case_of(tmp_path, f"{{on: {name}, down: true}}", header=where)


def test_faults_are_over_before_finally_and_the_invariants(tmp_path: Path) -> None:
    """What must hold at the end must hold of a system that was left to recover."""
    header = HEADER + "always: [no_stuck_messages]\n"
    world = FakeEnvironment("worker")
    world.reset = lambda _at=None: 0  # type: ignore[method-assign]
    world.happen("enqueued", message_id="m")
    ended = world.faults.end

    def end(target: str | None = None) -> int:
        world.happen("completed")
        return ended(target)

    world.faults.end = end  # type: ignore[method-assign]
    scenario = case_of(tmp_path, "{on: servicebus, deliver_twice: jobs}", header=header)
    assert run_one(scenario, world).outcome == "passed"


def test_faults_end_when_a_step_fails(tmp_path: Path) -> None:
    cases = "cases: {one: {steps: [{fault: {on: servicebus, detach: jobs}}, {queue: jobs, expect: {active: 7}}]}}\n"
    world = FakeEnvironment("worker")
    assert run_one(scenario_of(tmp_path, cases), world).outcome == "failed"
    assert world.faults.asked[-1] == ("end", None)


def test_network_and_http_faults_take_short_and_long_forms(tmp_path: Path) -> None:
    world, finished = run(
        tmp_path,
        "{on: servicebus, latency: 200ms, for: 2s}",
        "{on: worker, latency: {delay: 1s, jitter: 100ms}}",
        "{on: worker, down: true}",
        "{on: worker, status: {code: 503, path: /a}, times: 2}",
    )
    assert finished.outcome == "passed", finished.failure
    assert world.faults.asked[:4] == [
        ("servicebus", "latency", {"delay": 0.2}, None, 2.0),
        ("worker", "latency", {"delay": 1.0, "jitter": 0.1}, None, None),
        ("worker", "down", {}, None, None),
        ("worker", "status", {"code": 503, "path": "/a"}, 2, None),
    ]


def test_only_a_file_with_faults_outside_of_the_emulator_gets_a_relay(tmp_path: Path) -> None:
    assert not needs_relay(case_of(tmp_path, "{on: servicebus, detach: jobs}"))
    assert needs_relay(case_of(tmp_path, "{on: servicebus, detach: jobs}", "{on: worker, down: true}"))
    assert environment_spec(case_of(tmp_path, "{on: worker, down: true}"), tmp_path).relayed


def test_clearing_tells_how_often_it_struck(tmp_path: Path) -> None:
    cases = "cases: {one: {steps: [{fault: {clear: all}, expect: {struck: 2}}]}}\n"
    assert run_one(scenario_of(tmp_path, cases), FakeEnvironment("worker")).outcome == "passed"


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
        ("{on: servicebus, status: 503}", "status is a fault of what speaks HTTP"),
        ("{on: worker, latency: 1}", "a duration needs a unit"),
        ("{on: worker, latency: true}", 'the key "delay" is missing'),
        ("{on: worker, latency: 1s, times: 2}", "latency has no times: it lasts until it is cleared"),
        ("{clear: postgres}", 'there is no target "postgres"'),
        ('"${all}"', 'the arguments of "fault" are written out'),
    ],
)
def test_what_makes_no_sense_is_said_before_anything_starts(tmp_path: Path, fault: str, complaint: str) -> None:
    with pytest.raises(ScenarioInvalid) as refused:
        case_of(tmp_path, fault, header=HEADER + "vars: {all: 1}\n")
    assert any(complaint in problem.message for problem in refused.value.problems), refused.value.problems


@pytest.mark.parametrize(
    ("steps", "relayed"),
    [
        ("[{crash: {service: worker, at: {committed: true}}}]", True),
        ("[{pause: {service: worker, at: {commit: [INSERT a, update b]}}}]", True),
        ('[{crash: {service: worker, at: "${at}"}}], matrix: [{at: {commit: INSERT a}}]', True),
        ('[{crash: {service: worker, at: "${at}"}}], matrix: [{at: {queue: jobs, on: send}}]', False),
        ("[{crash: {service: worker, at: {log: a}}}]", False),
        ("[{fault: {on: postgres, lost_commit: true}}]", True),
    ],
)
def test_a_commit_can_be_met_where_services_reach_postgres_through_the_relay(
    tmp_path: Path, steps: str, relayed: bool
) -> None:
    header = HEADER.replace("stack:\n", "stack:\n  postgres: {}\n")
    assert "postgres" in header
    assert needs_relay(scenario_of(tmp_path, f"cases: {{one: {{steps: {steps}}}}}\n", header)) is relayed


def test_transactions_are_seen_where_they_are_asked_for(tmp_path: Path) -> None:
    """And where they cannot be, that is told; of a file that does not ask nothing is."""
    why = "transactions are not seen: services reach this Postgres without a relay of ours"
    for asked in (True, False):
        header = HEADER.replace("stack:\n", f"stack:\n  postgres: {{transactions: {str(asked).lower()}}}\n")
        scenario = scenario_of(tmp_path, "cases: {one: {steps: [{wait: 1ms}]}}\n", header)
        world = FakeEnvironment("worker")
        world.faults.seen = Transactions((), (why,))
        finished = run_one(scenario, world)
        assert finished.record is not None
        assert finished.record.transactions.unseen == ((why,) if asked else ())
        assert needs_relay(scenario) is asked
    made = DatabaseTransaction("worker", 1e10, 1e10, "failed", True, "23505", ("INSERT a",), (("INSERT a", 1),))
    world.faults.seen = Transactions((made, replace(made, ended=1.0)))
    finished = run_one(scenario, world)
    assert finished.record is not None
    assert finished.record.transactions.seen == [made]
    told = [each for each in finished.record.moments if each.at == 1e10]
    assert told == [Moment(1e10, "worker", "INSERT a failed by SQLSTATE 23505", True)]
