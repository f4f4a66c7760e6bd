"""`service:` on what services stand on: the file gets a stack of its own, and the word means the dependency."""

from __future__ import annotations

from pathlib import Path

import pytest

from peeklock.engine.environments import environment_spec, needed_kinds
from peeklock.scenario.errors import ScenarioInvalid
from tests.unit.engine.fake import HEADER, FakeEnvironment, run_one, scenario_of


def steps(text: str) -> str:
    return f"cases: {{one: {{steps: [{text}]}}}}\n"


def test_a_dependency_is_ended_and_started(tmp_path: Path) -> None:
    world = FakeEnvironment("worker")
    text = steps("{service: {kill: servicebus}}, {service: {start: servicebus}}, {service: {kill: worker}}")
    assert run_one(scenario_of(tmp_path, text), world).outcome == "passed"
    assert world.others.done == ["kill servicebus", "start servicebus", "revive"]
    assert world.services.done == ["kill worker"]


def test_a_restart_is_a_stop_and_a_start(tmp_path: Path) -> None:
    world = FakeEnvironment("worker")
    run_one(scenario_of(tmp_path, steps("{service: {restart: servicebus}}")), world)
    assert world.others.done == ["stop servicebus", "start servicebus", "revive"]


def test_what_is_down_at_the_end_comes_back_before_anything_else(tmp_path: Path) -> None:
    """Before faults are ended, of which the emulator has to be told, before crashed services start, and before the invariants."""
    header = HEADER + "always: [no_stuck_messages]\n"
    text = steps("{fault: {on: servicebus, deliver_twice: jobs}}, {service: {kill: servicebus}}")
    world = FakeEnvironment("worker")
    world.reset = lambda _at=None: 0  # type: ignore[method-assign]
    world.happen("enqueued", message_id="m")
    ended: list[list[str]] = []

    def end(target: str | None = None) -> int:
        ended.append(list(world.others.done))
        world.happen("completed")
        return 0

    world.faults.end = end  # type: ignore[method-assign]
    assert run_one(scenario_of(tmp_path, text, header), world).outcome == "passed"
    assert ended == [["kill servicebus", "revive"]]


def test_a_file_with_such_a_step_has_a_stack_of_its_own(tmp_path: Path) -> None:
    """In a fragment, in the background, anywhere; and nothing is started for it on the shared one."""
    plain = scenario_of(tmp_path, steps("{service: {kill: worker}}"))
    spec = environment_spec(plain, tmp_path)
    assert (spec.private, spec.lasting, needed_kinds([plain])) == (False, False, ["servicebus"])
    (tmp_path / "outage.yaml").write_text("fragment: an outage\nsteps: [{service: {restart: servicebus}}]\n")
    for own in (steps("{service: {pause: servicebus}}"), steps("{use: outage.yaml}")):
        scenario = scenario_of(tmp_path, own)
        spec = environment_spec(scenario, tmp_path)
        assert (spec.private, spec.lasting, needed_kinds([scenario])) == (True, True, [])


def test_a_service_of_that_name_is_meant_first(tmp_path: Path) -> None:
    scenario = scenario_of(
        tmp_path,
        steps("{service: {kill: servicebus}}"),
        HEADER.replace("  worker:", "  servicebus: {run: [python]}\n  worker:"),
    )
    world = FakeEnvironment("servicebus", "worker")
    assert run_one(scenario, world).outcome == "passed"
    assert world.services.done == ["kill servicebus"]
    assert not environment_spec(scenario, tmp_path).private


def test_what_the_file_does_not_have_cannot_be_ended(tmp_path: Path) -> None:
    with pytest.raises(ScenarioInvalid, match='there is no service "postgres"'):
        scenario_of(tmp_path, steps("{service: {kill: postgres}}"))
