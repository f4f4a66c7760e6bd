"""The words of `always`: each holds in peace, breaks when it should, and can be waived."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from peeklock.scenario.errors import ScenarioInvalid
from peeklock.stack.backend import Exit
from tests.unit.engine.fake import HEADER, FakeEnvironment, run_one, scenario_of


def dead_letter(world: FakeEnvironment) -> None:
    world.happen("enqueued", message_id="m")
    world.happen("dead_lettered", message_id="m", reason="Bad")


def error_log(world: FakeEnvironment) -> None:
    world.log("worker", level="error", event="it broke")


def service_exit(world: FakeEnvironment) -> None:
    world.services.gone.append(Exit("worker", 0, 0.0, 1, expected=False))


def contract(world: FakeEnvironment) -> None:
    world.happen("enqueued", queue="results", message_id="m", body={"id": "not a number"})


def stuck(world: FakeEnvironment) -> None:
    world.happen("enqueued", message_id="m")
    world.happen("delivered", delivery=1)


def consumer(world: FakeEnvironment) -> None:
    world.happen("enqueued", message_id="m")
    world.happen("delivered", delivery=1, consumer="service-intruder@container/link")
    world.happen("completed")


def correlation(world: FakeEnvironment) -> None:
    world.happen(
        "enqueued",
        queue="results",
        message_id="m",
        sender="service-worker",
        correlation_id="from nowhere",
        body={"id": 1},
    )


BREAK: dict[str, tuple[Callable[[FakeEnvironment], None], str]] = {
    "no_dead_letters": (dead_letter, "jobs dead-lettered m: Bad"),
    "no_error_logs": (error_log, "it broke"),
    "no_service_exit": (service_exit, "worker exited with code 1"),
    "contracts_hold": (contract, "is not of type 'integer'"),
    "no_stuck_messages": (stuck, "jobs: m is locked"),
    "no_unexpected_consumers": (consumer, "jobs has the consumer intruder; declared: worker"),
    "correlation_unbroken": (correlation, "which nothing before it had"),
}


@pytest.mark.parametrize("name", BREAK)
def test_it_breaks_and_can_be_waived(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("peeklock.engine.invariants.STUCK_AFTER", 0.2)
    (tmp_path / "result.json").write_text('{"properties": {"id": {"type": "integer"}}}')
    header = HEADER.replace("results: {}", "results: {schema: result.json}") + f"always: [{name}]\n"
    ruin, sentence = BREAK[name]
    steps = "steps: [{set: {a: 1}}]"
    world = FakeEnvironment("worker")
    world.reset = lambda _at=None: 0  # type: ignore[method-assign]
    assert run_one(scenario_of(tmp_path, f"cases: {{one: {{{steps}}}}}\n", header), world).outcome == "passed"

    original = world.on_change

    def during_the_case(wake: Callable[[], None]) -> Callable[[], None]:
        world.on_change = original  # type: ignore[method-assign]
        end = original(wake)
        monkeypatch.setattr("peeklock.engine.stepping.Stepper.run", lambda *_: ruin(world))
        return end

    world.on_change = during_the_case  # type: ignore[method-assign]
    finished = run_one(scenario_of(tmp_path, f"cases: {{one: {{{steps}}}}}\n", header), world)
    assert finished.failure is not None
    assert finished.failure.headline.startswith(f"{name}: ")
    assert sentence in finished.failure.headline

    waived = run_one(scenario_of(tmp_path, f"cases: {{one: {{allow: [{name}], {steps}}}}}\n", header), world)
    assert waived.outcome == "passed"


EFFECT = HEADER.replace(
    "jobs: {consumers: [worker]}", "jobs: {consumers: [worker], effect: {queue: results, id: body.id}}"
)
EFFECT += "always: [nothing_lost, nothing_doubled]\n"


def completed(world: FakeEnvironment, number: int = 1) -> None:
    world.happen("enqueued", sequence=number, message_id=f"m{number}", body={"id": number})
    world.happen("delivered", sequence=number, delivery=1)
    world.happen("completed", sequence=number)


def result(world: FakeEnvironment, number: int = 1, sequence: int = 1, event: str = "enqueued") -> None:
    facts = {"message_id": f"r{number}", "sender": "service-worker", "body": {"id": number}}
    world.happen(event, queue="results", sequence=sequence, **facts)


def without_effect(world: FakeEnvironment) -> None:
    completed(world)
    completed(world, 2)
    result(world)


def expired(world: FakeEnvironment) -> None:
    world.happen("enqueued", message_id="m")
    world.happen("expired")


def without_reason(world: FakeEnvironment) -> None:
    world.happen("enqueued", message_id="m")
    world.happen("dead_lettered", reason=None)


def forgotten(world: FakeEnvironment) -> None:
    world.happen("enqueued", queue="results", message_id="m", body={"id": 1})
    state = {"active": 0, "locked": 0, "scheduled": 0, "deferred": 0}
    world.queues = lambda: [{"name": "results", "receivers": [], **state}]  # type: ignore[method-assign]


def doubled(world: FakeEnvironment) -> None:
    completed(world)
    result(world)
    result(world, sequence=2)


def doubled_under_another_id(world: FakeEnvironment) -> None:
    completed(world)
    result(world)
    world.happen("enqueued", queue="results", sequence=2, message_id="other", sender="service-worker", body={"id": 1})


def well(world: FakeEnvironment) -> None:
    completed(world)
    result(world)
    world.happen("duplicate_dropped", queue="results", sequence=0, message_id="r1", body={"id": 1})
    world.happen("enqueued", sequence=2, message_id="m2", body={"id": 2})
    world.happen("dead_lettered", sequence=2, reason="Bad")


@pytest.mark.parametrize(
    ("happen", "sentence"),
    [
        (well, ""),
        (stuck, "nothing_lost: jobs: m is locked"),
        (without_effect, "nothing_lost: jobs: 2 was completed without its effect"),
        (expired, "nothing_lost: jobs: m is expired: nobody has dealt with it"),
        (without_reason, "nothing_lost: jobs: m was dead-lettered without a reason"),
        (forgotten, "nothing_lost: results holds 0 messages, the ledger tells of 1"),
        (doubled, "nothing_doubled: results: r1 was taken 2 times from worker"),
        (doubled_under_another_id, "nothing_doubled: jobs: 1 had its effect 2 times"),
    ],
)
def test_nothing_is_lost_and_nothing_is_doubled(
    happen: Callable[[FakeEnvironment], None], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("peeklock.engine.effects.PATIENCE", 0.1)
    world = FakeEnvironment("worker")
    world.reset = lambda _at=None: 0  # type: ignore[method-assign]
    happen(world)
    finished = run_one(scenario_of(tmp_path, "cases: {one: {steps: [{set: {a: 1}}]}}\n", EFFECT), world)
    assert (finished.failure.headline if finished.failure else "") == sentence


@pytest.mark.parametrize(("window", "outcome"), [("", "failed"), ("duplicate_detection_window: 10m", "passed")])
def test_an_id_that_is_taken_again_after_its_window_is_no_double(window: str, outcome: str, tmp_path: Path) -> None:
    """The queue is to forget ids by then; without a window it never knew any."""
    world = FakeEnvironment("worker")
    world.reset = lambda _at=None: 0  # type: ignore[method-assign]
    result(world)
    world.entries[-1] = replace(world.entries[-1], at=world.entries[-1].at - 600)
    result(world, sequence=2)
    header = HEADER.replace("results: {}", f"results: {{{window}}}") + "always: [nothing_doubled]\n"
    assert run_one(scenario_of(tmp_path, "cases: {one: {steps: [{set: {a: 1}}]}}\n", header), world).outcome == outcome


def test_a_consumer_that_got_nothing_is_one(tmp_path: Path) -> None:
    """It has asked, and will win the race another time."""
    world = FakeEnvironment("worker")
    consumers = ["service-worker.1", "service-intruder as x (Azure Service Bus Data Receiver)"]
    world.queues = lambda: [{"name": "jobs", "receivers": [], "consumers": consumers}]  # type: ignore[method-assign]
    header = HEADER + "always: [no_unexpected_consumers]\n"
    finished = run_one(scenario_of(tmp_path, "cases: {one: {steps: [{set: {a: 1}}]}}\n", header), world)
    assert finished.failure is not None
    assert finished.failure.headline == "no_unexpected_consumers: jobs has the consumer intruder; declared: worker"


@pytest.mark.parametrize("name", ["nothing_lost", "nothing_doubled"])
def test_no_case_may_waive_them(name: str, tmp_path: Path) -> None:
    with pytest.raises(ScenarioInvalid, match="is not one of the words"):
        scenario_of(tmp_path, f"cases: {{one: {{allow: [{name}], steps: [{{set: {{a: 1}}}}]}}}}\n", EFFECT)
