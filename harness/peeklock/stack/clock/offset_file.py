"""The file that says by how much the clock of a stack differs from the machine's."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from peeklock.stack.clock import faketime
from peeklock.stack.errors import StackError, unwritable
from peeklock.supervision import process_tree
from peeklock.supervision.client import SupervisorClient


class OffsetFile:
    """The file that says by how much the clock of a stack differs from the machine's, and who goes by it."""

    def __init__(self, supervisor: SupervisorClient, folder: Path) -> None:
        """`folder`: that another process has made."""
        self._supervisor = supervisor
        self.folder = folder
        """Everything that a member needs; a container gets it mounted at the same path."""
        self.path = folder / "offset"
        self._library = folder / faketime.NAME

    @classmethod
    def make(cls, supervisor: SupervisorClient, directory: Path) -> OffsetFile:
        """Make it in the directory of a stack. Raises `StackError` where the library does not work."""
        library, reason = faketime.library(), faketime.why_not()
        if library is None or reason:
            raise StackError("the clock cannot be moved on this machine", actual=reason)
        made = cls(supervisor, folder := directory / "clock")
        try:
            folder.mkdir(mode=0o755)
            folder.chmod(0o755)  # Postgres may run as another user
            shutil.copyfile(
                library, made._library
            )  # to a path without the spaces and colons that LD_PRELOAD cannot hold
            made.write(0.0)
        except OSError as error:
            raise unwritable(folder, error) from error
        return made

    @property
    def offset(self) -> float:
        """By how many seconds who goes by it is ahead of the machine."""
        return float(self.path.read_text())

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
        for path in faketime.LEFTOVERS:
            self._supervisor.call("register", path=path.format(pid=pid))

    def adopt_all(self) -> None:
        """As `adopt`, for every child of the supervisor."""
        for child in self._supervisor.call("children", prefix="")["children"]:
            self.adopt(child["pid"])

    def left_out(self, leaders: Mapping[str, int]) -> list[str]:
        """Return the names of those `leaders` (pids by name) of which a process does not go by this clock."""
        return [
            name
            for name, leader in leaders.items()
            if not all(faketime.carried_by(pid, self.path) for pid in (leader, *process_tree.family(leader)))
        ]
