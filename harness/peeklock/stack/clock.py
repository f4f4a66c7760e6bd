"""The wall clock of a stack: that of the machine, or one of its own that is moved for all of its members at once."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from peeklock.stack import faketime, process_tree
from peeklock.stack.errors import StackError
from peeklock.stack.supervisor_client import SupervisorClient

TOLERANCE = 5.0
"""Seconds that an answer may be late: on a machine with more to do than it can, asking takes its time."""

Member = Callable[[], float]
"""Asks a member of the stack for its time, in seconds since 1970. Raises `StackError`."""


class RealClock:
    """Implements `backend.Clock`: the machine's, which nobody moves."""

    movable = False
    offset = 0.0

    def now(self) -> datetime:
        return datetime.now(UTC)

    def real(self, at: float) -> float:
        return at

    def advance(self, seconds: float) -> datetime:
        raise StackError(
            "the clock of this stack is the machine's, which cannot be moved",
            actual=f"asked to move it by {seconds:g} s",
            fix="say `clock: movable` in the case or in the file",
        )


class OffsetFile:
    """The file that says by how much the clock of a stack differs from the machine's, and who goes by it."""

    def __init__(self, supervisor: SupervisorClient, directory: Path) -> None:
        """`directory`: of the stack; exists. Raises `StackError` where the library does not work."""
        library, reason = faketime.library(), faketime.why_not()
        if library is None or reason:
            raise StackError("the clock cannot be moved on this machine", actual=reason)
        self._supervisor = supervisor
        self.folder = folder = directory / "clock"
        """Everything that a member needs; a container gets it mounted at the same path."""
        self.path = folder / "offset"
        self._library = folder / faketime.NAME
        try:
            folder.mkdir(mode=0o755)
            folder.chmod(0o755)  # Postgres may run as another user
            shutil.copyfile(
                library, self._library
            )  # to a path without the spaces and colons that LD_PRELOAD cannot hold
            self.write(0.0)
        except OSError as error:
            raise StackError.unwritable(folder, error) from error

    @property
    def variables(self) -> Mapping[str, str]:
        """For the environment of every member."""
        return faketime.variables(self._library, self.path)

    def write(self, offset: float) -> None:
        """Give all who go by it the machine's time plus `offset` seconds, from their next look at the clock on."""
        new = self.path.with_suffix(".new")
        new.write_text(f"+{offset:.6f}\n" if offset >= 0 else f"{offset:.6f}\n")
        new.chmod(0o644)
        new.replace(self.path)  # in one step: it is read all the time

    def adopt(self, pid: int) -> None:
        """See to it that nothing is left of a member, however it ends."""
        for path in faketime.leftovers(pid):
            self._supervisor.call("register", path=str(path))

    def adopt_all(self) -> None:
        """As `adopt`, for every child of the supervisor."""
        for child in self._supervisor.call("children", prefix="")["children"]:
            self.adopt(child["pid"])

    def strangers(self, leaders: Mapping[str, int]) -> list[str]:
        """Those of `leaders`, pids by name, of which a process does not go by this clock."""
        return [
            name
            for name, leader in leaders.items()
            if not all(faketime.carried_by(pid, self.path) for pid in (leader, *process_tree.family(leader)))
        ]


class MovableClock:
    """Implements `backend.Clock` for one environment, which is alone on its stack."""

    movable = True

    def __init__(
        self, file: OffsetFile, members: Mapping[str, Member], strangers: Callable[[], list[str]],
        move_bus: Callable[[float], float] | None,
    ) -> None:  # fmt: skip
        """`members`: by name, to be asked; `strangers`: the services that do not go by the file; `move_bus`: by so many seconds."""
        self._file, self._members, self._strangers, self._move_bus = file, members, strangers, move_bus
        self.offset = 0.0
        """Seconds by which it is ahead of the machine's."""
        self._moves: list[tuple[float, float]] = []

    def now(self) -> datetime:
        return datetime.fromtimestamp(time.time() + self.offset, UTC)

    def advance(self, seconds: float) -> datetime:
        if seconds < 0:
            raise StackError("time does not run backwards", actual=f"asked to move the clock by {seconds:g} s")
        if strangers := self._strangers():
            raise StackError(
                "a service does not follow the clock",
                where=", ".join(strangers),
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

    def real(self, at: float) -> float:
        offset = 0.0
        for moved_to, later in self._moves:
            if at < moved_to:
                break
            offset = later
        return at - offset

    def _move(self, seconds: float) -> None:
        self.offset += seconds
        self._file.write(self.offset)
        self._moves.append((time.time() + self.offset, self.offset))
        if self._move_bus is not None:
            self._check("servicebus", self._move_bus(seconds))

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
