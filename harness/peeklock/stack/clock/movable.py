"""The wall clock of a stack: that of the machine, or one of its own that is moved for all of its members at once."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Protocol

from peeklock.errors import PeeklockError
from peeklock.stack.clock.offset_file import OffsetFile
from peeklock.stack.errors import StackError

TOLERANCE = 5.0
"""Seconds that an answer may be late: on a machine with more to do than it can, asking takes its time."""

Member = Callable[[], float]
"""Asks a member of the stack for its time, in seconds since 1970. Raises `StackError`."""


class Bus(Protocol):
    """The emulator, which has a clock of its own."""

    def hold_handshakes(self) -> None:
        """Have no client on its way in until `advance`."""

    def release_handshakes(self) -> None:
        """Let clients in again."""

    def advance(self, seconds: float) -> float:
        """Move its clock; its time then, in seconds since 1970."""


class RealClock:
    """Implements `backend.Clock`: the machine's, which nobody moves."""

    movable = False
    offset = 0.0

    def now(self) -> datetime:
        return datetime.now(UTC)

    def real(self, at: float) -> float:
        return at

    def shown(self, at: float) -> float:
        return at

    def moved(self) -> list[tuple[float, float]]:
        return []

    def advance(self, seconds: float) -> datetime:
        raise StackError(
            "the clock of this stack is the machine's, which cannot be moved",
            actual=f"asked to move it by {seconds:g} s",
            fix="say `clock: movable` in the case or in the file",
        )


class MovableClock:
    """Implements `backend.Clock` for one environment, which is alone on its stack."""

    movable = True

    def __init__(
        self, file: OffsetFile, members: Mapping[str, Member], left_out: Callable[[], list[str]],
        bus: Callable[[], Bus] | None,
    ) -> None:  # fmt: skip
        """`members`: by name, to be asked; `left_out`: names the services that do not go by the file; `bus`: the emulator, if there is one."""
        self._file, self._members, self._left_out, self._bus = file, members, left_out, bus
        self.offset = 0.0
        """Seconds by which it is ahead of the machine's."""
        self._moves: list[tuple[float, float]] = []

    def now(self) -> datetime:
        return datetime.fromtimestamp(time.time() + self.offset, UTC)

    def advance(self, seconds: float) -> datetime:
        if seconds < 0:
            raise StackError("time does not run backwards", actual=f"asked to move the clock by {seconds:g} s")
        if left_out := self._left_out():
            raise StackError(
                "a service does not follow the clock",
                where=", ".join(left_out),
                expected="every process of it with libfaketime loaded",
                actual="one without: it is statically linked, or clears its environment",
                fix="link it dynamically, or pass LD_PRELOAD and FAKETIME_* on",
            )
        self._move(seconds)
        self._ask()
        return self.now()

    def reset(self, offset: float = 0.0) -> None:
        """Begin anew, with the machine's time or so many seconds ahead of it (negative: behind)."""
        if offset != self.offset:
            self._move(offset - self.offset)
        self.offset = offset  # not the sum of many moves
        self._moves = [(0.0, offset)] if offset else []
        if offset:
            self._ask()

    def go_on(self) -> None:
        """Take over from whoever has moved it before."""
        self.offset = self._file.offset
        self._moves = [(0.0, self.offset)]

    def real(self, at: float) -> float:
        offset = 0.0
        for moved_to, later in self._moves:
            if at < moved_to:
                break
            offset = later
        return at - offset

    def shown(self, at: float) -> float:
        offset = 0.0
        for moved_to, later in self._moves:
            if at < moved_to - later:
                break
            offset = later
        return at + offset

    def moved(self) -> list[tuple[float, float]]:
        return [(moved_to - ahead, ahead) for moved_to, ahead in self._moves]

    def _move(self, seconds: float) -> None:
        bus = self._bus() if self._bus is not None else None
        if bus is None:
            self._write(seconds)
            return
        bus.hold_handshakes()
        try:
            self._write(seconds)
            self._check("servicebus", bus.advance(seconds))
        except BaseException:
            with contextlib.suppress(PeeklockError):
                bus.release_handshakes()
            raise

    def _write(self, seconds: float) -> None:
        self.offset += seconds
        self._file.write(self.offset)
        self._moves.append((time.time() + self.offset, self.offset))

    def _ask(self) -> None:
        for name, ask in self._members.items():
            self._check(name, ask())

    def _check(self, name: str, told: float) -> None:
        here = time.time() + self.offset
        if abs(told - here) > TOLERANCE:
            raise StackError(
                f"{name} does not follow the clock",
                expected=datetime.fromtimestamp(here, UTC).isoformat(timespec="seconds"),
                actual=datetime.fromtimestamp(told, UTC).isoformat(timespec="seconds"),
            )
