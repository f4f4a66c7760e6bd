"""What a step that waits has seen, look by look."""

from __future__ import annotations

from pathlib import Path

import pytest

from peeklock.engine import stepping
from peeklock.engine.record import Looks
from peeklock.engine.stepping import add_look
from tests.unit.engine.fake import FakeEnvironment, run_one, scenario_of
from tests.unit.engine.test_case import at_second_look


def seen(*missing: str) -> list[Looks]:
    looks: list[Looks] = []
    for at, each in enumerate(missing):
        add_look(looks, float(at), each)
    return looks


def test_a_case_keeps_what_its_steps_missed_while_they_waited(tmp_path: Path) -> None:
    cases = "cases: {one: {steps: [{messages: {queue: jobs}, eventually: 5s, expect: {count: 1}}, {set: {a: 1}}]}}\n"
    world = FakeEnvironment("worker")
    at_second_look(world, lambda: world.happen("enqueued", message_id="m"))
    record = run_one(scenario_of(tmp_path, cases), world).record
    assert record is not None
    waited, other = record.steps
    assert [each.missing for each in waited.looks] == ["count: 0", ""]
    assert sum(each.count for each in waited.looks) == waited.tries
    assert other.looks == ()


def test_looks_that_saw_the_same_are_one() -> None:
    assert seen("a", "a", "b", "a", "") == [
        Looks(0.0, 1.0, 2, "a"), Looks(2.0, 2.0, 1, "b"), Looks(3.0, 3.0, 1, "a"), Looks(4.0, 4.0, 1, ""),
    ]  # fmt: skip


def test_of_very_many_changes_the_first_and_the_last_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last one counts all that were left out before it."""
    monkeypatch.setattr(stepping, "MOST_LOOKS", 3)
    assert seen("a", "b", "c", "d", "e") == [Looks(0.0, 0.0, 1, "a"), Looks(1.0, 1.0, 1, "b"), Looks(2.0, 4.0, 3, "e")]
