"""What every server of a stack has: a process that the supervisor knows, a log, and an error that tells of its end."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from peeklock.stack.errors import StackError
from peeklock.stack.servers.errors import dead_dependency, engine_gone
from peeklock.supervision.client import SupervisorClient


class Server:
    """A running server, started here or found through the supervisor's state."""

    PROCESS: ClassVar[str]
    """Its name at the supervisor."""
    TITLE: ClassVar[str]
    """Its name for people."""
    READY: ClassVar[str]
    """What is in the line that it logs when it listens."""

    def __init__(self, supervisor: SupervisorClient, state: Mapping[str, Any]) -> None:
        self._supervisor = supervisor
        self._state = dict(state)
        self.log_file = Path(state["log"])

    @property
    def state(self) -> dict[str, Any]:
        """What another process needs to use this server; kept in the supervisor's memory only."""
        return dict(self._state)

    def lost(self) -> StackError:
        """The error that tells of its end, with its last words."""
        return self._lost(ConnectionError("its process has ended"))

    def _lost(self, error: Exception) -> StackError:
        children = self._supervisor.call("children", prefix=self.PROCESS)["children"]
        child = next((child for child in children if child["name"] == self.PROCESS), None)
        if child is not None and child["code"] is None:
            return self._refused(error)
        tail = [text for _, text in self._supervisor.call("tail", name=self.PROCESS)["lines"]] if child else []
        if child is not None and child["code"] == child["meta"].get("engine_gone", ""):
            return engine_gone(self.TITLE, tail, self.log_file)
        return dead_dependency(self.TITLE, child["code"] if child else None, tail, self.log_file)

    def _refused(self, error: Exception) -> StackError:
        """It runs, and yet it did not do what it was asked."""
        return StackError(
            f"{self.TITLE} does not answer", actual=f"{type(error).__name__}: {error}", where=str(self.log_file)
        )

    def forget_connections(self) -> None:
        """The server has been away: the next to ask connects anew."""

    def tidy(self) -> None:
        """The stack ends: remove what was made on a server that goes on."""

    def close(self) -> None:
        """Hang up; the server goes on."""
