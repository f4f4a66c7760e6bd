"""`ContainersStack`: every dependency is a container of Docker's or podman's engine."""

from __future__ import annotations

import contextlib
import functools
import secrets
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from peeklock.scenario.topology import Stack as StackSpec
from peeklock.stack.backend import Endpoints, EnvironmentSpec
from peeklock.stack.clock import faketime
from peeklock.stack.clock.offset_file import OffsetFile
from peeklock.stack.containers.azurite import start_azurite
from peeklock.stack.containers.children import ContainerChildren
from peeklock.stack.containers.deployment import Deployment
from peeklock.stack.containers.discovery import find_engine
from peeklock.stack.containers.engine import DEFINITION_LABEL, Engine, EngineError
from peeklock.stack.containers.images import definition, wanted_images
from peeklock.stack.containers.named_images import Chosen, azurite_image, postgres_image
from peeklock.stack.containers.ownership import sweep
from peeklock.stack.containers.postgres import start_postgres
from peeklock.stack.containers.servicebus import start_servicebus
from peeklock.stack.containers.services import ServiceContainers
from peeklock.stack.embedded.installed_postgres import postgres
from peeklock.stack.embedded.lacking import extensions_lacking, url_lacking
from peeklock.stack.environment.endpoints import addresses
from peeklock.stack.environment.launcher import Launcher
from peeklock.stack.environment.record import Record
from peeklock.stack.errors import StackError
from peeklock.stack.local import LocalStack
from peeklock.stack.project.folder import passing_folder
from peeklock.stack.servers.blobs import new_accounts
from peeklock.stack.servers.given_postgres import GivenPostgres
from peeklock.stack.servers.group import AnyServer
from peeklock.stack.servers.wanted import WantedServers
from peeklock.supervision import usage
from peeklock.supervision.client import SupervisorClient

_ABILITIES = frozenset({"exact_ledger", "faults", "outages", "docker"})
_DEPENDING: Mapping[str, Callable[[], str]] = {"clock": faketime.why_not, "usage": usage.why_not}
"""Abilities that depend on the machine, with what tells why one is not there."""
_TRIES = 5


class ContainersStack(LocalStack):
    """Implements `backend.Stack` on a container engine of this machine."""

    backend = "containers"

    @property
    def abilities(self) -> frozenset[str]:
        return _ABILITIES | {ability for ability, why_not in _DEPENDING.items() if not why_not()}

    def why_not(self, ability: str) -> str:
        return _DEPENDING[ability]() if ability in _DEPENDING else ""

    @property
    def place(self) -> str:
        return str(Engine(*self._state["engine"]))

    @classmethod
    def _plan(cls, supervisor: SupervisorClient, ports: Mapping[str, int], room: int) -> dict[str, Any]:
        engine = find_engine()
        with contextlib.suppress(EngineError):  # what others have left is no reason not to begin
            sweep(engine)
        images = wanted_images()
        free = supervisor.reserve_ports(3 + room)
        return {
            "engine": [engine.address, engine.name],
            "images": images,
            "deployment": Deployment.plan(supervisor, engine, definition()),
            "plan": {
                "postgres": {"port": ports.get("postgres", free[0]), "password": secrets.token_hex(16)},
                "blobs": {"port": ports.get("blobs", free[1]), "accounts": new_accounts(room)},
                "servicebus": {"control_port": free[2], "namespace_ports": free[3:]},
            },
            "fixed": sorted(ports),
        }

    @classmethod
    def is_current(cls, state: Mapping[str, Any]) -> bool:
        return bool(state["deployment"]["labels"][DEFINITION_LABEL] == definition())

    def _find_children(self, supervisor: SupervisorClient, state: Mapping[str, Any]) -> ContainerChildren:
        return ContainerChildren(supervisor, Engine(*state["engine"]))

    def _prepare(self, movable_clock: bool) -> None:
        if movable_clock:
            self.offset_file = OffsetFile.make(
                self._supervisor, passing_folder(self._supervisor, Path(tempfile.gettempdir()))
            )

    @functools.cached_property
    def _deployment(self) -> Deployment:
        engine = Engine(*self._state["engine"])
        return Deployment(self._supervisor, engine, self._state["deployment"], self.offset_file, stands=self.warm)

    def lacks(self, wanted: StackSpec) -> str:
        if wanted.postgres is not None and wanted.postgres.url is not None:
            return url_lacking(wanted.postgres.url)
        try:
            image = self._chosen("postgres", WantedServers.of(wanted))
            self._chosen("blobs", WantedServers.of(wanted))
        except StackError as error:
            return "; ".join(filter(None, (error.problem, error.actual, error.fix)))
        # What is in ours is what is installed here.
        return extensions_lacking(wanted.postgres) if wanted.postgres is not None and image.ours else ""

    def _chosen(self, kind: str, wanted: WantedServers) -> Chosen:
        """The image of a kind of dependency; those that a file names are pulled. Raises `StackError`."""
        engine = Engine(*self._state["engine"])
        if kind == "postgres" and (wanted.postgres_image or wanted.postgres_version):
            return postgres_image(engine, wanted.postgres_image, wanted.postgres_version, self._progress)
        if kind == "blobs" and wanted.blobs_image:
            return azurite_image(engine, wanted.blobs_image, self._progress)
        return Chosen(self._state["images"][{"blobs": "azurite"}.get(kind, kind)], ours=True, why="")

    def _start_server(self, kind: str) -> AnyServer:
        if kind == "postgres" and self._wanted.postgres_url:
            psql = str(postgres().bin / "psql")
            return GivenPostgres.begin(self._supervisor, self.log_dir, self._wanted.postgres_url, psql, self._progress)
        plan = dict(self._state["plan"][kind])
        chosen = self._chosen(kind, self._wanted)
        if chosen.why:
            self._progress(f"{kind}: {chosen.reference} ({chosen.why})")
        common = (self._deployment, self._supervisor, self.log_dir)
        lasting = self._state["lasting"]
        if kind == "servicebus":
            return start_servicebus(*common, chosen.reference, lasting=lasting, **plan)
        for attempt in range(_TRIES):
            try:
                if kind == "postgres":
                    own = self._wanted.postgres_settings
                    return start_postgres(*common, chosen, lasting=lasting, settings=own, **plan)
                return start_azurite(*common, chosen, lasting=lasting, **plan)
            except StackError as error:
                if "is in use" not in error.problem or kind in self._state["fixed"] or attempt == _TRIES - 1:
                    raise
                plan["port"] = self._supervisor.reserve_ports(1)[0]
        raise AssertionError

    def launcher(self, spec: EnvironmentSpec, record: Record, endpoints: Endpoints) -> Launcher:
        processes = super().launcher(spec, record, endpoints)
        images = {name for name, service in spec.services.items() if service.image is not None}
        if not images:
            return processes
        ours = [port for name, ports in record.ports.items() if name not in images for port in ports]
        return ServiceContainers(
            self._deployment, self._supervisor, self.children, processes, record.tunnel, Path(record.log_dir),
            out=[
                *addresses(endpoints).values(), *record.standin_ports.values(),
                *(port for doors in record.relay_ports.values() for port in doors.values()),
                *record.door_ports.values(), *ours,
            ],
            served=[port for name in images for port in record.ports[name]],
        )  # fmt: skip

    def _keep(self) -> None:
        """Nothing: a container's files end with it."""
