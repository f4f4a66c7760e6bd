"""The clock of a stack, without a stack: what it asks of whom, and how its time is told from the machine's."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from peeklock.stack.clock import faketime
from peeklock.stack.clock.movable import MovableClock, RealClock
from peeklock.stack.errors import StackError


class World:
    """The file, a member and the emulator, as the clock sees them."""

    def __init__(self, lag: float = 0.0, left_out: tuple[str, ...] = ()) -> None:
        self.written: list[float] = []
        self.bus = 0.0
        self.order: list[str] = []
        file: Any = self
        self.clock = MovableClock(file, {"postgres": self._ask}, lambda: list(left_out), lambda: self)
        self._lag = lag

    def write(self, offset: float) -> None:
        self.written.append(offset)
        self.order.append("file")

    def _ask(self) -> float:
        self.order.append("postgres")
        return time.time() + self.written[-1] - self._lag

    def hold_handshakes(self) -> None:
        self.order.append("hold")

    def release_handshakes(self) -> None:
        self.order.append("release")

    def advance(self, seconds: float) -> float:
        self.bus += seconds
        self.order.append("servicebus")
        return time.time() + self.bus


def test_services_have_the_new_time_before_the_emulator_does_what_is_due_and_no_handshake_sees_it_jump() -> None:
    """A message that is delivered because its time has come reaches a worker for which it has come."""
    world = World()
    world.clock.advance(60)
    assert world.order == ["hold", "file", "servicebus", "postgres"]


def test_moves_add_up_and_a_reset_takes_all_of_them_back() -> None:
    world = World()
    world.clock.advance(60)
    world.clock.advance(30)
    assert (world.written, world.bus, world.clock.offset) == ([60, 90], 90, 90)
    world.clock.reset()
    assert (world.written[-1], world.bus, world.clock.offset) == (0, 0, 0)
    world.clock.reset()
    assert len(world.written) == 3, "nothing to take back, nothing done"


def test_a_member_that_does_not_follow_is_named_with_both_times() -> None:
    with pytest.raises(StackError, match="postgres does not follow the clock") as wrong:
        World(lag=3600).clock.advance(3600)
    assert wrong.value.expected != wrong.value.actual


def test_a_service_that_would_not_follow_is_named_and_nothing_is_moved() -> None:
    world = World(left_out=("worker.0",))
    with pytest.raises(StackError, match="a service does not follow") as wrong:
        world.clock.advance(60)
    assert "worker.0" in str(wrong.value)
    assert (world.written, world.bus) == ([], 0)


def test_a_moved_moment_is_told_by_the_machines_clock() -> None:
    world = World()
    before = time.time()
    world.clock.advance(3600)
    world.clock.advance(3600)
    assert world.clock.real(before) == before
    assert world.clock.real(time.time() + 7200.5) == pytest.approx(time.time(), abs=30)


def test_the_machines_clock_is_not_moved() -> None:
    with pytest.raises(StackError, match="cannot be moved") as wrong:
        RealClock().advance(1)
    assert "clock: movable" in str(wrong.value)
    assert not RealClock().movable


def test_a_machine_without_the_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faketime, "LINUX", True)
    monkeypatch.setattr(faketime, "library", lambda: None)
    assert "pip install 'peeklock[clock]'" in faketime.why_not.__wrapped__()
    monkeypatch.setattr(faketime, "LINUX", False)
    assert "Linux only" in faketime.why_not.__wrapped__()


def test_a_library_that_does_nothing_is_found_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As on another processor, where the loader only complains."""
    broken = tmp_path / faketime.NAME
    broken.write_bytes(b"not a library")
    monkeypatch.setattr(faketime, "LINUX", True)
    monkeypatch.setattr(faketime, "library", lambda: broken)
    assert faketime.why_not.__wrapped__().startswith("libfaketime does not work here")


def test_clients_are_let_in_again_when_the_clock_could_not_be_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()

    def refuse(_seconds: float) -> float:
        raise StackError("the emulator refused")

    monkeypatch.setattr(world, "advance", refuse)
    with pytest.raises(StackError, match="refused"):
        world.clock.advance(60)
    assert world.order == ["hold", "file", "release"]
