"""The verb `clock`: by how much the clock of the environment is moved, and what goes by it then."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from peeklock.engine.environments import environment_spec, needed_kinds
from peeklock.engine.events import CaseFinished
from peeklock.scenario.errors import ScenarioInvalid
from tests.unit.engine.fake import HEADER, FakeEnvironment, run_one, scenario_of


def run(folder: Path, steps: str, world: FakeEnvironment | None = None) -> tuple[FakeEnvironment, CaseFinished]:
    world = world or FakeEnvironment("worker")
    return world, run_one(scenario_of(folder, f"cases:\n  one:\n    steps:\n{steps}"), world)


def test_it_is_moved_by_a_duration_in_either_form(tmp_path: Path) -> None:
    world, finished = run(tmp_path, "      - clock: {advance: 15d}\n      - clock: 1h\n")
    assert finished.outcome == "passed", finished.failure
    assert world.clock.moves == [15 * 86_400.0, 3600.0]


def test_it_is_moved_to_a_moment(tmp_path: Path) -> None:
    """With an offset, or in UTC without one; also to one that was looked up."""
    aim = datetime.now(UTC).replace(microsecond=0) + timedelta(days=3)
    later = (aim + timedelta(hours=1)).isoformat()
    steps = f"      - clock: {{to: '{aim:%Y-%m-%dT%H:%M:%S}'}}\n      - clock: {{to: '{later}'}}\n"
    world, finished = run(tmp_path, steps + "      - clock: {to: '${now(+2h)}'}\n")
    assert finished.outcome == "passed", finished.failure
    assert world.clock.moves == [
        pytest.approx(3 * 86_400, abs=30), pytest.approx(3600, abs=30), pytest.approx(7200, abs=30),
    ]  # fmt: skip


def test_a_case_begins_at_the_time_that_it_or_its_file_says(tmp_path: Path) -> None:
    """Which needs the ability, as moving does."""
    cases = (
        "cases: {one: {clock: {start: '2026-01-01T00:00Z'}, steps: [{set: {a: 1}}]}, other: {steps: [{set: {a: 1}}]}}\n"
    )
    world = FakeEnvironment("worker")
    scenario = scenario_of(tmp_path, cases)
    assert run_one(scenario, world).outcome == "passed"
    assert world.began_at == datetime(2026, 1, 1, tzinfo=UTC)
    assert [scenario.requires(case) for case in scenario.cases] == [["clock"], []]
    whole = scenario_of(tmp_path, cases, HEADER + "clock: {start: '2030-06-01T12:00:00+02:00'}\n")
    assert [whole.starts_at(case) for case in whole.cases] == [
        datetime(2026, 1, 1, tzinfo=UTC), datetime(2030, 6, 1, 10, tzinfo=UTC),
    ]  # fmt: skip


def test_a_moment_that_has_been_is_refused_with_the_time_that_it_is(tmp_path: Path) -> None:
    world, finished = run(tmp_path, "      - clock: {to: 2020-01-01T00:00:00Z}\n")
    assert finished.failure is not None
    assert "time does not run backwards" in finished.failure.headline
    assert "2020-01-01T00:00:00.000Z" in finished.failure.headline
    assert world.clock.moves == []


def test_now_goes_by_the_moved_clock_and_the_step_yields_it(tmp_path: Path) -> None:
    steps = """\
      - clock: {advance: 15d}
        capture: {then: now}
      - set: {now: "${now()}"}
      - run: {python: "check:same", with: {one: "${then}", other: "${now}"}}
"""
    (tmp_path / "check.py").write_text(
        "from datetime import datetime\n"
        "def same(one, other):\n"
        "    assert abs((datetime.fromisoformat(one) - datetime.fromisoformat(other)).total_seconds()) < 30, (one, other)\n"
    )
    _, finished = run(tmp_path, steps)
    assert finished.outcome == "passed", finished.failure


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("{}", "say exactly one of advance or to"),
        ("{advance: 1h, to: 2030-01-01T00:00:00Z}", "say exactly one of advance or to"),
        ("{advance: 5}", "a duration needs a unit"),
        ("{advance: -1h}", "greater than 0"),
        ("{to: tomorrow}", "not a moment"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_starts(tmp_path: Path, arguments: str, message: str) -> None:
    with pytest.raises(ScenarioInvalid) as wrong:
        scenario_of(tmp_path, f"cases: {{one: {{steps: [{{clock: {arguments}}}]}}}}")
    assert message in str(wrong.value)


@pytest.mark.parametrize(
    "cases",
    [
        "clock: movable\ncases: {one: {steps: [{settle: 1s}]}}",
        "cases: {one: {clock: movable, steps: [{settle: 1s}]}}",
        "cases: {one: {steps: [{settle: 1s}]}, two: {steps: [{clock: 1h}]}}",
    ],
)
def test_a_file_that_moves_the_clock_has_a_stack_of_its_own(tmp_path: Path, cases: str) -> None:
    """And asks nothing of the shared one; said in words or by a step."""
    scenario = scenario_of(tmp_path, cases)
    spec = environment_spec(scenario, tmp_path)
    assert (spec.movable_clock, spec.private) == (True, True)
    assert needed_kinds([scenario]) == []
    assert "clock" in scenario.requires(scenario.cases[-1])


def test_any_other_file_shares_one(tmp_path: Path) -> None:
    scenario = scenario_of(tmp_path, "cases: {one: {steps: [{settle: 1s}]}}")
    spec = environment_spec(scenario, tmp_path)
    assert (spec.movable_clock, spec.private) == (False, False)
    assert needed_kinds([scenario]) == ["servicebus"]


def test_the_timeline_keeps_the_order_of_things_when_the_clock_moved(tmp_path: Path) -> None:
    """The ledger goes by the moved clock, logs by the machine's: both stand where they happened."""
    world = FakeEnvironment("worker")
    world.clock.real = lambda at: at - 86_400  # type: ignore[method-assign]
    world.reset = lambda _at=None: 0  # type: ignore[method-assign]
    world.happen("enqueued", message_id="m")
    world.entries[0] = replace(world.entries[0], at=world.entries[0].at + 86_400)
    _, finished = run(tmp_path, "      - messages: {queue: jobs}\n        expect: {count: 7}\n", world)
    assert finished.record is not None
    assert abs(finished.record.entries[0].at - finished.record.started_at) < 60
