"""The words of `always`: each holds in peace, breaks when it should, and can be waived."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.stack import Exit
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
    monkeypatch.setattr("harness.engine.invariants.STUCK_AFTER", 0.2)
    (tmp_path / "result.json").write_text('{"properties": {"id": {"type": "integer"}}}')
    header = HEADER.replace("results: {}", "results: {schema: result.json}") + f"always: [{name}]\n"
    ruin, sentence = BREAK[name]
    steps = "steps: [{set: {a: 1}}]"
    world = FakeEnvironment("worker")
    world.reset = lambda: 0  # type: ignore[method-assign]
    assert run_one(scenario_of(tmp_path, f"cases: {{one: {{{steps}}}}}\n", header), world).outcome == "passed"

    original = world.on_change

    def during_the_case(wake: Callable[[], None]) -> Callable[[], None]:
        world.on_change = original  # type: ignore[method-assign]
        end = original(wake)
        monkeypatch.setattr("harness.engine.stepping.Stepper.run", lambda *_: ruin(world))
        return end

    world.on_change = during_the_case  # type: ignore[method-assign]
    finished = run_one(scenario_of(tmp_path, f"cases: {{one: {{{steps}}}}}\n", header), world)
    assert finished.failure is not None
    assert finished.failure.headline.startswith(f"{name}: ")
    assert sentence in finished.failure.headline

    waived = run_one(scenario_of(tmp_path, f"cases: {{one: {{allow: [{name}], {steps}}}}}\n", header), world)
    assert waived.outcome == "passed"
