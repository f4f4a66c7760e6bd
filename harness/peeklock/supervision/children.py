"""The children of a supervisor, each ended, held still and started again by its name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from peeklock.supervision.client import SupervisorClient


class Children:
    """Children that are processes. Thread-safe. Raises `RequestError` for a name that is not there."""

    def __init__(self, supervisor: SupervisorClient) -> None:
        self._supervisor = supervisor

    def all(self, prefix: str = "") -> list[dict[str, Any]]:
        """What the supervisor tells of each whose name begins so: `name`, `pid`, `code` (None while it runs), `paused`, `meta` …"""
        found: list[dict[str, Any]] = self._supervisor.call("children", prefix=prefix)["children"]
        return found

    def stop(self, name: str) -> None:
        """Its stop signal, and SIGKILL after its grace; returns when it is gone."""
        self._supervisor.call("stop", name=name)

    def kill(self, name: str) -> None:
        """SIGKILL; returns when it is gone."""
        self._supervisor.call("kill", name=name)

    def pause(self, name: str) -> None:
        """SIGSTOP."""
        self._supervisor.call("pause", name=name)

    def resume(self, name: str) -> None:
        """SIGCONT."""
        self._supervisor.call("resume", name=name)

    def start_again(self, name: str) -> None:
        """Start one that has ended once more, as it was started the last time."""
        self._supervisor.call("respawn", name=name)

    def forget(self, name: str) -> None:
        """Let one that has ended be as if it had never been."""
        self._supervisor.call("forget", name=name)

    def leaders(self, prefix: str) -> dict[str, int]:
        """The pid, on this machine, of the first process of each that runs and whose name begins so; by the rest of the name."""
        return {
            child["name"][len(prefix) :]: self._leader(child) for child in self.all(prefix) if child["code"] is None
        }

    def _leader(self, child: Mapping[str, Any]) -> int:
        return int(child["pid"])

    def end_all(self, prefix: str) -> None:
        """Kill and forget every one whose name begins so."""
        for child in self.all(prefix):
            if child["code"] is None:
                self.kill(child["name"])
            self.forget(child["name"])
