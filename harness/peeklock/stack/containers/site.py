"""Where the containers of one stack stand: their engine, their network, their labels; and how one is put there."""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from peeklock.stack.clock.offset_file import OffsetFile
from peeklock.stack.containers.children import keeper
from peeklock.stack.containers.engine import DEFINITION_LABEL, OWNER_LABEL, STACK_LABEL, Engine, EngineError
from peeklock.stack.containers.errors import engine_refused, image_missing
from peeklock.stack.containers.keeper import ENGINE_GONE
from peeklock.stack.containers.owners import owner
from peeklock.stack.errors import full_disk, port_in_use
from peeklock.supervision.client import SupervisorClient
from peeklock.supervision.program import program
from peeklock.supervision.readiness import Watcher

if TYPE_CHECKING:
    from testcontainers.core.container import DockerContainer

_NO_HEALTH_CHECK = {"test": ["NONE"]}


@dataclass(frozen=True, slots=True)
class Placed:
    """A container that runs, as the supervisor knows it."""

    container: str
    """Its id."""
    watcher: Watcher
    """To be closed by whoever has seen enough."""


class Site:
    """One user network with all containers of a stack on it. Everything on it is removed when the supervisor ends. Thread-safe."""

    def __init__(
        self, supervisor: SupervisorClient, engine: Engine, state: Mapping[str, Any], clock: OffsetFile | None = None,
        stands: bool = False,
    ) -> None:  # fmt: skip
        """`clock`: what every container goes by, unless that of the machine; `stands`: another process has made its network."""
        self.engine = engine
        self._clock = clock
        self.stack: str = state["stack"]
        self.labels: Mapping[str, str] = state["labels"]
        self._supervisor = supervisor
        self._stands = stands
        self._network_lock = threading.Lock()
        self._network: Any = None
        self._name = f"peeklock-{self.stack}"

    @staticmethod
    def plan(supervisor: SupervisorClient, engine: Engine, definition: str) -> dict[str, Any]:
        """The state of a new one. From here on the supervisor removes whatever has its label, however things end."""
        stack = secrets.token_hex(6)
        pid = int(supervisor.call("hello")["pid"])
        labels = {STACK_LABEL: stack, OWNER_LABEL: owner(pid), DEFINITION_LABEL: definition}
        argv = program("peeklock.stack.containers.removal", engine.address, f"{STACK_LABEL}={stack}")
        supervisor.call("at_end", argv=argv)
        return {"stack": stack, "labels": labels}

    @property
    def client(self) -> dict[str, Any]:
        """For testcontainers: which engine to use."""
        return {"environment": {"DOCKER_HOST": self.engine.address}}

    def network(self) -> Any:
        """The testcontainers network, made at the first call (150 ms)."""
        from testcontainers.core.network import Network

        with self._network_lock:
            if self._network is None:
                network = Network(docker_client_kw=self.client, docker_network_kw={"labels": dict(self.labels)})
                network.name = self._name
                self._network = network if self._stands else network.create()
            return self._network

    def place(
        self, container: DockerContainer, name: str, *, title: str, log: Path, ports: Mapping[int, int] | None = None,
        known: Sequence[str] = (), grace: float = 5.0, layer: int = 0, meta: Mapping[str, Any] | None = None,
        own_clock: bool = False, inside: str | None = None,
    ) -> Placed:  # fmt: skip
        """Start a container as the supervisor's child `name`, known by that name on the network too.

        `ports`: of the container by port of 127.0.0.1; `known`: secrets that its log must not show; `own_clock`: it has a clock of its
        own that can be moved, so that of the stack is not forced upon it; `inside`: a container whose network it shares, instead of
        being on that of the stack. Raises `StackError`.
        """
        from testcontainers.core.config import testcontainers_config

        testcontainers_config.ryuk_disabled = True  # it would clean up after ten seconds at best, and must be pulled
        self._demand(container.image)
        watcher = Watcher(self._supervisor, name, title=title, log_file=log, secrets=known)
        try:
            container.ports = {str(own): ("127.0.0.1", port) for port, own in (ports or {}).items()}  # type: ignore[misc]
            container.with_kwargs(labels=dict(self.labels), healthcheck=_NO_HEALTH_CHECK, **container._kwargs)  # noqa: SLF001
            if self._clock is not None and not own_clock:
                container.with_envs(**self._clock.variables)
                container.with_volume_mapping(self._clock.folder, str(self._clock.folder), "ro")
            if inside is not None:
                container.with_kwargs(**container._kwargs, network=None, network_mode=f"container:{inside}")  # noqa: SLF001
            else:
                container.with_network(self.network()).with_network_aliases(*([name] if name.isalnum() else ()))
            self._start(container, title)
            identity = container.get_container_id()
            self._supervisor.spawn(
                name, keeper(self.engine, identity), {}, Path("/"), log=str(log),
                secrets=list(known), layer=layer, grace=grace, meta={**(meta or {}), "container": identity, "grace": grace, "engine_gone": ENGINE_GONE},
            )  # fmt: skip
        except BaseException:
            watcher.close()
            raise
        return Placed(identity, watcher)

    def _demand(self, image: str) -> None:
        try:
            if image.startswith("peeklock/") and not self.engine.has_image(image):  # others can be pulled
                raise image_missing(image, self.engine)
        except EngineError as error:
            raise engine_refused(self.engine, "look for an image", error) from error

    def _start(self, container: DockerContainer, title: str) -> None:
        import docker.errors
        import requests.exceptions

        try:
            container.start()
        except docker.errors.APIError as error:
            self._discard(container)
            text = str(error.explanation or error)
            if "port is already allocated" in text or "address already in use" in text:
                taken = next((port for _, port in container.ports.values() if f":{port}" in text), 0)  # type: ignore[misc]
                raise port_in_use(taken, title) from error
            if "no space left" in text:
                raise full_disk(f"starting {title} at the container engine") from error
            raise engine_refused(self.engine, f"start {title}", EngineError(error.status_code or 0, text)) from error
        except (docker.errors.DockerException, requests.exceptions.RequestException) as error:
            raise engine_refused(self.engine, f"start {title}", EngineError(0, str(error))) from error

    def _discard(self, container: DockerContainer) -> None:
        made = container._container  # noqa: SLF001  it was made, and not started
        if made is not None and made.id:
            with contextlib.suppress(EngineError):  # it has the stack's label, so it goes with the stack at the latest
                self.engine.discard(made.id)
