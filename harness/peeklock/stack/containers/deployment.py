"""The containers of one stack, on a network of their own."""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker.errors
import requests.exceptions
from testcontainers.core.config import ConnectionMode, testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network
from testcontainers.core.waiting_utils import WaitStrategy, WaitStrategyTarget

from peeklock.stack.clock.offset_file import OffsetFile
from peeklock.stack.containers.children import follower
from peeklock.stack.containers.engine import DEFINITION_LABEL, OWNER_LABEL, STACK_LABEL, Engine, EngineError
from peeklock.stack.containers.errors import engine_refused, image_missing
from peeklock.stack.containers.follower import ENGINE_GONE
from peeklock.stack.containers.ownership import owner
from peeklock.stack.errors import full_disk, port_in_use
from peeklock.supervision.client import SupervisorClient
from peeklock.supervision.program import program
from peeklock.supervision.readiness import Watcher

testcontainers_config.ryuk_disabled = True  # it would clean up after ten seconds at best, and must be pulled
testcontainers_config.tc_host_override = "127.0.0.1"  # where ports are published, also in what looks like a container
testcontainers_config.connection_mode_override = ConnectionMode.docker_host
testcontainers_config.sleep_time = 0.02  # seconds between two looks of a waiting strategy; a second otherwise

_WITHIN = 30.0
_ENGINE_S_OWN = {"healthcheck": {"test": ["NONE"]}}


@dataclass(frozen=True, slots=True)
class Placement:
    """How a container is a child of the supervisor, and where it is reached."""

    name: str
    """Of the child, and on the network."""
    title: str
    """For people."""
    log: Path
    ports: Mapping[int, int] = field(default_factory=dict)
    """Of the container, by port of 127.0.0.1."""
    secrets: Sequence[str] = ()
    """What its log must not show."""
    ready: Callable[[str], bool] | None = None
    """Tells the line with which it says that it is ready; absent: nobody waits for it."""
    grace: float = 5.0
    layer: int = 0
    meta: Mapping[str, Any] = field(default_factory=dict)
    own_clock: bool = False
    """It has a clock of its own that can be moved, so that of the stack is not forced upon it."""


class Deployment:
    """Everything in it is removed when the supervisor ends. Thread-safe."""

    def __init__(
        self, supervisor: SupervisorClient, engine: Engine, state: Mapping[str, Any], clock: OffsetFile | None = None,
        stands: bool = False,
    ) -> None:  # fmt: skip
        """`clock`: what every container goes by, unless that of the machine; `stands`: another process has made its network."""
        self.engine = engine
        self._supervisor, self._clock, self._stands = supervisor, clock, stands
        self._labels: dict[str, str] = dict(state["labels"])
        self._name = f"peeklock-{state['stack']}"
        self._lock = threading.Lock()
        self._network: Network | None = None

    @staticmethod
    def plan(supervisor: SupervisorClient, engine: Engine, definition: str) -> dict[str, Any]:
        """The state of a new one. From here on the supervisor removes whatever has its label, however things end."""
        stack = secrets.token_hex(6)
        pid = int(supervisor.call("hello")["pid"])
        labels = {STACK_LABEL: stack, OWNER_LABEL: owner(pid), DEFINITION_LABEL: definition}
        argv = program("peeklock.stack.containers.removal", engine.address, f"{STACK_LABEL}={stack}")
        supervisor.call("at_end", argv=argv)
        return {"stack": stack, "labels": labels}

    def options(self, **more: Any) -> dict[str, Any]:
        """What every container of it is made with, for its constructor."""
        return {**_ENGINE_S_OWN, "docker_client_kw": self._client, "labels": dict(self._labels), **more}

    @property
    def _client(self) -> dict[str, Any]:
        return {"environment": {"DOCKER_HOST": self.engine.address}}

    def network(self) -> Network:
        """The network, made at the first call (150 ms)."""
        with self._lock:
            if self._network is None:
                network = Network(docker_client_kw=self._client, docker_network_kw={"labels": dict(self._labels)})
                network.name = self._name
                self._network = network if self._stands else network.create()
            return self._network

    def start(self, container: DockerContainer, placement: Placement, inside: str | None = None) -> str:
        """Start a container that was made with `options`; returns its id when it is ready. Raises `PeeklockError`.

        `inside`: the container whose network it shares (as its options say), instead of being on that of the stack.
        """
        self._demand(container.image)
        container.ports = {str(own): ("127.0.0.1", port) for port, own in placement.ports.items()}  # type: ignore[misc]
        if self._clock is not None and not placement.own_clock:
            container.with_envs(**self._clock.variables)
            container.with_volume_mapping(self._clock.folder, str(self._clock.folder), "ro")
        if inside is None:
            aliases = [placement.name] if placement.name.isalnum() else []
            container.with_network(self.network()).with_network_aliases(*aliases)
        following = _Following(self._supervisor, self.engine, placement)
        container.waiting_for(following)
        try:
            self._start(container, placement.title)
        finally:
            following.watcher.close()
        return container.get_container_id()

    def _demand(self, image: str) -> None:
        try:
            if image.startswith("peeklock/") and not self.engine.has_image(image):  # others can be pulled
                raise image_missing(image, self.engine)
        except EngineError as error:
            raise engine_refused(self.engine, "look for an image", error) from error

    def image_environment(self, container: DockerContainer, title: str) -> dict[str, str]:
        """The variables that a container's image sets; pulls the image where it is not here. Raises `PeeklockError`."""
        self._demand(container.image)
        with self._asking(container, title):
            images = container.get_docker_client().client.images
            try:
                found = images.get(container.image)
            except docker.errors.ImageNotFound:
                found = images.pull(container.image)
        return dict(each.split("=", 1) for each in found.attrs["Config"].get("Env") or () if "=" in each)

    def _start(self, container: DockerContainer, title: str) -> None:
        with self._asking(container, title):
            container.start()

    @contextlib.contextmanager
    def _asking(self, container: DockerContainer, title: str) -> Iterator[None]:
        """Tell in our words why a container could not be started."""
        try:
            yield
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


class _Following(WaitStrategy):
    """Makes a container that has started a child of the supervisor, and waits for the line that says it is ready.

    The library's own strategy for log lines looks again and again, and does not see that a container has ended.
    """

    def __init__(self, supervisor: SupervisorClient, engine: Engine, placement: Placement) -> None:
        super().__init__()
        self._supervisor, self._engine, self._placement = supervisor, engine, placement
        place = placement
        self.watcher = Watcher(supervisor, place.name, title=place.title, log_file=place.log, secrets=place.secrets)

    def wait_until_ready(self, container: WaitStrategyTarget) -> None:
        place, identity = self._placement, str(container.get_wrapped_container().id)
        meta = {**place.meta, "container": identity, "grace": place.grace, "engine_gone": ENGINE_GONE}
        self._supervisor.spawn(
            place.name, follower(self._engine, identity), {}, Path("/"), log=str(place.log), secrets=list(place.secrets),
            layer=place.layer, grace=place.grace, meta=meta,
        )  # fmt: skip
        if place.ready is not None:
            self.watcher.until_line(place.ready, "the line that says so", _WITHIN)
