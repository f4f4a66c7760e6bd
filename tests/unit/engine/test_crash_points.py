"""Crash points: a service is killed when it comes to a moment of its work, and one that is never reached is a failure."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from peeklock.engine.crash_points import CrashAt, CrashPoint, CrashPoints
from peeklock.engine.ledger import Ledger
from peeklock.engine.waiting import Signal
from peeklock.scenario.errors import ScenarioInvalid
from peeklock.stack.backend import HeldCommit, LogLine
from peeklock.stack.errors import StackError
from tests.unit.engine.fake import HEADER, FakeEnvironment, run_one, scenario_of

STRIKE = {"fault": "hold", "fault_id": "fault-1", "phase": "strike", "operation": "complete", "message_id": "m"}


class World(FakeEnvironment):
    """An environment, its signal, and the crash points of a case on it."""

    def __init__(self) -> None:
        super().__init__("worker", "api")
        self.signal = Signal()
        self.on_change(self.signal.wake)
        self.notes: list[tuple[str, str]] = []
        self.stopped: set[str] = set()
        environment: Any = self
        self.points = CrashPoints(environment, self.signal, lambda *note: self.notes.append(note), self.stopped)

    def set(self, at: CrashAt, **more: Any) -> threading.Event:
        point = CrashPoint("worker", at, **more)
        self.points.set(point, Ledger(self.ledger, len(self.entries)))
        return point.done


@pytest.mark.parametrize(
    ("at", "event", "facts"),
    [
        (CrashAt("jobs", "complete"), "fault", STRIKE),
        (CrashAt("jobs", "complete", "m"), "fault", STRIKE),
        (CrashAt("jobs", "delivered"), "delivered", {"message_id": "m"}),
    ],
)
def test_the_service_is_killed_at_the_moment_and_started_again(at: CrashAt, event: str, facts: dict[str, Any]) -> None:
    world = World()
    done = world.set(at)
    world.happen(event, queue="results", **facts)
    world.happen("fault", **{**STRIKE, "phase": "begin"})
    assert not done.is_set()
    world.happen(event, **facts)
    assert done.wait(5)
    assert world.services.done == ["kill worker", "start worker"]
    assert world.stopped == set()
    assert [text for _, text in world.notes] == [f"crashed at {at}", "started again"]
    world.points.end()
    assert world.points.unmet() == []


def test_a_paused_service_goes_on_when_it_is_told_to_and_then_its_operation_is_done() -> None:
    world = World()
    reached = world.set(CrashAt("jobs", "complete"), pauses=True)
    world.happen("fault", **STRIKE)
    assert reached.wait(5)
    assert (world.services.done, world.stopped) == (["pause worker"], {"worker"})
    assert ("released", "complete", None) not in world.held
    world.points.resume("worker")
    world.points.end()
    assert world.services.done == ["pause worker", "resume worker"]
    assert world.held[-1] == ("released", "complete", None)
    assert (world.stopped, world.points.unmet()) == (set(), [])


def test_a_pause_point_that_is_never_reached_is_told() -> None:
    world = World()
    world.set(CrashAt("jobs", "complete"), pauses=True)
    world.points.end()
    assert world.points.unmet() == ["the pause point was never reached: worker at complete on jobs"]


def test_two_points_at_one_operation_are_met_one_after_the_other() -> None:
    """Each by the operation that is held for it."""
    world = World()
    first, second = (world.set(CrashAt("jobs", "complete")) for _ in range(2))
    world.happen("fault", **STRIKE)
    assert first.wait(5)
    assert not second.is_set()
    world.happen("fault", **{**STRIKE, "fault_id": "fault-2"})
    assert second.wait(5)
    assert world.services.done == ["kill worker", "start worker"] * 2
    world.points.end()


def test_the_nth_moment_of_one_service_is_meant() -> None:
    """What others do in the same queue does not count."""
    world = World()
    done = world.set(CrashAt("jobs", "completed", nth=2, by="worker"))
    for who in ("service-worker.1@x/1", "service-api@x/1", "service-worker@x/1"):
        assert not done.is_set()
        world.happen("completed", message_id="m", consumer=who)
    assert done.wait(5)
    world.points.end()
    assert world.points.unmet() == []


def test_a_replica_is_killed_by_its_own_log() -> None:
    """What the other one says is not meant."""
    world = World()
    point = CrashPoint("worker.1", CrashAt(log="begun"))
    world.points.set(point, Ledger(world.ledger, 0))
    world.log("worker", event="begun")
    world.services.lines.append(LogLine("worker", 1, 0.0, "{}", {"event": "begun"}))
    world.wake()
    assert point.done.wait(5)
    assert world.services.done == ["kill worker.1", "start worker.1"]
    world.points.end()


def test_a_queue_does_not_tell_which_replica_comes(tmp_path: Path) -> None:
    header = HEADER.replace("{run: [python]}", "{run: [python], replicas: 2}")
    steps = "[{crash: {service: worker.1, at: {queue: jobs, on: complete}}}]"
    with pytest.raises(ScenarioInvalid, match="whichever replica"):
        scenario_of(tmp_path, f"cases: {{one: {{steps: {steps}}}}}\n", header)


@pytest.mark.parametrize("pauses", [False, True])
def test_a_commit_is_held_until_its_service_is_gone(pauses: bool) -> None:
    """Or stands still: then it goes on with it."""
    world = World()
    commit = HeldCommit("worker", ("INSERT orders",), done=True, nth=2)
    done = world.set(CrashAt(commit=commit, nth=2), pauses=pauses)
    ((held, told),) = world.faults.commits.items()
    assert (held.changes, held.then) == (("INSERT orders",), "done" if pauses else "dropped")
    world.happen("completed", message_id="m")
    assert not done.wait(0.05)
    told.append("reached")
    world.signal.wake()
    assert done.wait(5)
    world.points.end()
    assert world.services.done == (["pause worker", "resume worker"] if pauses else ["kill worker", "start worker"])
    assert told == ["reached", "ended"]
    assert world.points.unmet() == []


def test_a_commit_that_never_comes_is_told() -> None:
    world = World()
    world.set(CrashAt(commit=HeldCommit("worker", ("INSERT orders", "UPDATE jobs"), done=False)))
    world.points.end()
    assert world.points.unmet() == [
        "the crash point was never reached: worker at its commit of INSERT orders + UPDATE jobs"
    ]
    assert list(world.faults.commits.values()) == [["ended"]]


def test_another_message_is_not_meant() -> None:
    world = World()
    world.set(CrashAt("jobs", "complete", "other"))
    world.happen("fault", **STRIKE)
    world.points.end()
    assert world.services.done == []


def test_a_delivery_is_not_outrun_by_its_completion() -> None:
    """`delivered` is seen after it has happened: until the service is gone, it cannot complete."""
    world = World()
    done = world.set(CrashAt("jobs", "delivered"))
    assert world.held == [("jobs", "complete", None)]
    world.happen("fault", **STRIKE)  # the point was set while the message was out already
    assert done.wait(5)
    assert world.services.done == ["kill worker", "start worker"]


def test_what_was_held_is_released_when_the_service_is_gone() -> None:
    world = World()
    done = world.set(CrashAt("jobs", "complete", "m"), restart=False)
    assert world.held == [("jobs", "complete", "m")]
    world.happen("fault", **STRIKE)
    assert done.wait(5)
    assert world.held[1:] == [("released", "complete", None)]
    assert world.services.done == ["kill worker"]
    assert world.stopped == {"worker"}


def test_a_log_event_of_the_service_is_a_moment_too() -> None:
    world = World()
    world.log("worker", event="worker.received")  # before the point was set
    done = world.set(CrashAt(log="worker.received"))
    world.log("api", event="worker.received")
    assert not done.is_set()
    world.log("worker", event="worker.received")
    assert done.wait(5)
    assert world.services.done == ["kill worker", "start worker"]


def test_a_point_that_is_never_reached_fails_the_case(tmp_path: Path) -> None:
    """Nothing passes vacuously."""
    steps = "{crash: {service: worker, at: {queue: jobs, on: complete}}}"
    world = FakeEnvironment("worker")
    failure = run_one(scenario_of(tmp_path, f"cases: {{one: {{steps: [{steps}]}}}}\n"), world).failure
    assert failure is not None
    assert failure.headline == "the crash point was never reached: worker at complete on jobs"
    assert world.held[-1] == ("released", "complete", None)


def test_waiting_for_it_tells_which_was_not_reached(tmp_path: Path) -> None:
    steps = "{crash: {service: worker, at: {log: never}}}, {crash: {wait: worker, within: 50ms}}"
    scenario = scenario_of(tmp_path, f"cases: {{one: {{steps: [{steps}]}}}}\n")
    failure = run_one(scenario, FakeEnvironment("worker")).failure
    assert failure is not None
    assert "worker did not come to its log event never" in failure.headline


def test_a_service_that_does_not_come_back_fails_the_case() -> None:
    world = World()

    def fail(_: str) -> None:
        raise StackError("it exited before it was ready")

    world.services.start = fail  # type: ignore[attr-defined]
    done = world.set(CrashAt("jobs", "delivered"))
    world.happen("delivered", message_id="m")
    assert done.wait(5)
    assert world.points.unmet() == ["crash of worker at delivered on jobs: it exited before it was ready"]


@pytest.mark.parametrize(
    ("crash", "complaint"),
    [
        ("{service: worker}", "say service and at, or wait"),
        ("{wait: worker, service: worker}", "say service and at, or wait"),
        ("{service: worker, at: {queue: jobs}}", "say queue and on, or commit"),
        ("{service: worker, at: {queue: jobs, on: complete, log: x}}", "say queue and on, or commit"),
        ("{service: worker, at: {queue: jobs, on: lunch}}", '"on" is not one of the words'),
        ("{service: worker, at: {queue: job, on: complete}}", 'there is no queue "job"'),
        ("{wait: walker}", 'there is no service "walker"'),
    ],
)
def test_what_cannot_be_is_told_before_anything_starts(tmp_path: Path, crash: str, complaint: str) -> None:
    with pytest.raises(ScenarioInvalid, match=complaint):
        scenario_of(tmp_path, f"cases: {{one: {{steps: [{{crash: {crash}}}]}}}}\n")
