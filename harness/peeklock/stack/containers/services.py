"""Services that are containers: each runs from its image, in the network that the services of its environment share."""

from __future__ import annotations

import secrets
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from testcontainers.core.container import DockerContainer

from peeklock.scenario.services import Service
from peeklock.stack.containers import tunnel
from peeklock.stack.containers.deployment import Deployment, Placement
from peeklock.stack.containers.engine import EngineError
from peeklock.stack.containers.images import KINDS
from peeklock.stack.containers.images import reference as own
from peeklock.stack.environment.launcher import Launch, Launcher
from peeklock.stack.errors import StackError
from peeklock.stack.names.bundle import BUNDLES, write_bundle
from peeklock.stack.names.names import Names
from peeklock.stack.names.variables import HOOK, name_variables
from peeklock.supervision.children import Children
from peeklock.supervision.client import SupervisorClient
from peeklock.supervision.readiness import Watcher, announces

_TITLE = "the tunnel to the containers of the services"
_READY = announces("tunnel.ready")
_OWN = "peeklock/"


class ServiceContainers:
    """Implements `Launcher`: services with an `image` are containers, the others are left to `processes`."""

    def __init__(
        self, deployment: Deployment, supervisor: SupervisorClient, children: Children, processes: Launcher, name: str, log_dir: Path,
        *, out: Sequence[int], served: Sequence[int],
    ) -> None:  # fmt: skip
        """`name`: what the names of the tunnel's two halves begin with, at the supervisor. `out`: ports of this machine that
        services reach; `served`: ports of the containers that this machine reaches."""
        self._deployment, self._supervisor, self._children, self._processes = (
            deployment,
            supervisor,
            children,
            processes,
        )
        self._name, self._log_dir = name, log_dir
        self._out, self._served = sorted(set(out)), sorted(set(served))
        self._lock = threading.Lock()

    def source(self, service: Service) -> str:
        if service.image is None:
            return self._processes.source(service)
        try:
            return self._deployment.engine.image_id(reference(service.image))
        except EngineError:
            return ""

    def launch(self, launch: Launch) -> None:
        if launch.service.image is None:
            self._processes.launch(launch)
            return
        network = self._tunnel()
        if self._children.all(launch.name):
            self._children.forget(launch.name)  # the container of its last life
        options = self._deployment.options(network_mode=f"container:{network}")
        container = DockerContainer(reference(launch.service.image), **options)
        told = {name: value for name, value in launch.told.items() if value is not None}
        container.with_envs(**told, **launch.own)
        if (token := told.get("AZURE_FEDERATED_TOKEN_FILE")) is not None:
            container.with_volume_mapping(token, token, "ro")
        if launch.names is not None:
            self._lead(container, launch, launch.names)
        if launch.argv:
            container.with_command(list(launch.argv))
        placement = Placement(
            launch.name, launch.title, launch.log, secrets=launch.secrets, meta=launch.meta, layer=1,
            grace=launch.service.stop_grace,
        )  # fmt: skip
        self._deployment.start(container, placement, inside=network)

    def _lead(self, container: DockerContainer, launch: Launch, names: Names) -> None:
        """Let names lead to ports of this machine, which the tunnel offers to the container on its own loopback."""
        env = {**self._deployment.image_environment(container, launch.title), **launch.own}
        trusted = {
            name: value for name, value in env.items() if name not in BUNDLES
        }  # files of the image, out of reach here
        bundle = write_bundle(launch.log.parent.parent, names.authority, trusted)
        container.with_envs(**name_variables(names.ports, bundle, env))
        for path in (HOOK, bundle):
            container.with_volume_mapping(str(path), str(path), "ro")

    # -- the tunnel ---------------------------------------------------------------------------------------------------

    def _tunnel(self) -> str:
        """The container whose network the services share; made when it is not there."""
        with self._lock:
            halves = {child["name"]: child for child in self._children.all(self._name) if child["code"] is None}
            found = halves.get(f"{self._name}inside")
            wanted = {"out": self._out, "served": self._served}
            if found is not None and len(halves) == 2 and found["meta"]["ports"] == wanted:
                return str(found["meta"]["container"])
            self._children.end_all(self._name)
            return self._make_tunnel(wanted)

    def _make_tunnel(self, ports: dict[str, list[int]]) -> str:
        token, (published,) = secrets.token_urlsafe(24), self._supervisor.reserve_ports(1)
        text = Path(tunnel.__file__).read_text(encoding="utf-8")
        entrypoint = ["python", "-I", "-S", "-c", text, "inside", str(published), *map(str, self._out)]
        container = DockerContainer(own("servicebus"), **self._deployment.options(entrypoint=entrypoint))
        container.with_env(tunnel.TOKEN, token)
        log = self._log_dir / "tunnel.log"
        placement = Placement(
            f"{self._name}inside", _TITLE, log, {published: published}, secrets=[token], ready=_READY, grace=1.0,
            own_clock=True, meta={"ports": ports},
        )  # fmt: skip
        identity = self._deployment.start(container, placement)
        argv = [sys.executable, "-I", "-S", tunnel.__file__, "outside", str(published), *map(str, self._served)]
        watcher = Watcher(self._supervisor, f"{self._name}outside", title=_TITLE, log_file=log, secrets=[token])
        try:
            options: dict[str, Any] = {"log": str(log), "layer": 0, "grace": 1.0, "secrets": [token]}
            self._supervisor.spawn(f"{self._name}outside", argv, {tunnel.TOKEN: token}, Path("/"), **options)
            watcher.until_line(_READY, "the line tunnel.ready", 30.0)
        finally:
            watcher.close()
        return identity


def reference(image: str) -> str:
    """An image as the engine knows it: one of Peeklock's own without a tag is that of this version. Raises `StackError`."""
    kind = next((kind for kind in KINDS if image == f"{_OWN}{kind}"), None)
    if kind is None and image.startswith(_OWN) and ":" not in image:
        raise StackError(
            f"there is no image {image}",
            expected=f"one of {', '.join(_OWN + kind for kind in KINDS)}",
            fix="correct `image`",
        )
    return image if kind is None else own(kind)
