"""Children of a supervisor of which some are containers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from peeklock.stack.containers.engine import Engine, EngineError
from peeklock.stack.containers.errors import engine_refused
from peeklock.supervision.children import Children
from peeklock.supervision.client import SupervisorClient
from peeklock.supervision.program import program


def follower(engine: Engine, container: str, ended: str = "") -> list[str]:
    """The command that follows a container; `ended`: when its last life ended, as the engine tells it."""
    return program("peeklock.stack.containers.follower", engine.address, container, ended)


class ContainerChildren(Children):
    """As `Children`; those whose `meta` names a container are ended, held still and started by the engine. Raises `StackError`."""

    def __init__(self, supervisor: SupervisorClient, engine: Engine) -> None:
        super().__init__(supervisor)
        self._engine = engine

    def stop(self, name: str) -> None:
        container = self._container(name)
        if container is None:
            super().stop(name)
        else:
            self._supervisor.call("expect", name=name)
            self._ask(self._engine.stop, container["container"], container["grace"])
            self._supervisor.call("wait", name=name)

    def kill(self, name: str) -> None:
        container = self._container(name)
        if container is None:
            super().kill(name)
        else:
            self._supervisor.call("expect", name=name)
            self._ask(self._engine.kill, container["container"])
            self._supervisor.call("wait", name=name)

    def pause(self, name: str) -> None:
        if not self._hold(name, self._engine.pause, paused=True):
            super().pause(name)

    def resume(self, name: str) -> None:
        if not self._hold(name, self._engine.resume, paused=False):
            super().resume(name)

    def start_again(self, name: str) -> None:
        if (container := self._container(name)) is not None:
            # What it says from now on, not from when the engine notes that it began: by then it may have said a good deal.
            ended = self._state(container["container"])["FinishedAt"]
            self._ask(self._engine.start, container["container"])
            self._supervisor.call("respawn", name=name, argv=follower(self._engine, container["container"], ended))
        else:
            super().start_again(name)

    def forget(self, name: str) -> None:
        if (container := self._container(name)) is not None:
            self._ask(self._engine.discard, container["container"])
        super().forget(name)

    def _leader(self, child: Mapping[str, Any]) -> int:
        if "container" not in child["meta"]:
            return super()._leader(child)
        return int(self._state(child["meta"]["container"])["Pid"])

    def _state(self, container: str) -> dict[str, Any]:
        try:
            return dict(self._engine.inspect(container)["State"])
        except EngineError as error:
            raise engine_refused(self._engine, "look at a container", error) from error

    def _hold(self, name: str, how: Callable[[str], None], paused: bool) -> bool:
        """Whether it is a container; then it is held still, or no more, when this returns."""
        container = self._container(name)
        if container is not None and container["paused"] is not paused:
            self._ask(how, container["container"])
            self._supervisor.call("mark_paused", name=name, paused=paused)
        return container is not None

    def _container(self, name: str) -> dict[str, Any] | None:
        child = next((child for child in self.all(name) if child["name"] == name), None)
        return (
            {**child["meta"], "paused": child["paused"]} if child is not None and "container" in child["meta"] else None
        )

    def _ask(self, operation: Callable[..., None], *arguments: Any) -> None:
        try:
            operation(*arguments)
        except EngineError as error:
            raise engine_refused(self._engine, operation.__name__, error) from error
