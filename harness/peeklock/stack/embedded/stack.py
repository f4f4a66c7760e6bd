"""`EmbeddedStack`: every dependency is a plain process."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from peeklock.scenario.topology import Stack as StackSpec
from peeklock.stack.clock import faketime
from peeklock.stack.clock.offset_file import OffsetFile
from peeklock.stack.embedded.blobs import start_azurite
from peeklock.stack.embedded.installed_postgres import postgres
from peeklock.stack.embedded.lacking import lacking
from peeklock.stack.embedded.postgres import EmbeddedPostgres, data_home
from peeklock.stack.embedded.servicebus import start_servicebus
from peeklock.stack.embedded.tools import azurite
from peeklock.stack.local import LocalStack
from peeklock.stack.project.folder import passing_folder
from peeklock.stack.servers.blobs import BlobServer, new_accounts
from peeklock.stack.servers.given_postgres import GivenPostgres
from peeklock.stack.servers.group import AnyServer
from peeklock.supervision import usage
from peeklock.supervision.client import SupervisorClient

_ABILITIES = frozenset({"exact_ledger", "faults", "outages"})
_DEPENDING: Mapping[str, Callable[[], str]] = {"clock": faketime.why_not, "usage": usage.why_not}
"""Abilities that depend on the machine, with what tells why one is not there."""


class EmbeddedStack(LocalStack):
    """Implements `backend.Stack` without Docker."""

    backend = "embedded"

    @property
    def abilities(self) -> frozenset[str]:
        return _ABILITIES | {ability for ability, why_not in _DEPENDING.items() if not why_not()}

    def why_not(self, ability: str) -> str:
        return _DEPENDING[ability]() if ability in _DEPENDING else ""

    def lacks(self, wanted: StackSpec) -> str:
        return lacking(wanted)

    @classmethod
    def _plan(cls, supervisor: SupervisorClient, ports: Mapping[str, int], room: int) -> dict[str, Any]:
        free = supervisor.reserve_ports(2)
        return {
            "directory": str(passing_folder(supervisor, data_home())),
            "plan": {
                "postgres": {"port": ports.get("postgres", free[0]), "fixed": "postgres" in ports,
                             "password": secrets.token_hex(16)},
                "blobs": {"port": ports.get("blobs", free[1]), "fixed": "blobs" in ports,
                          "accounts": new_accounts(room)},
            },
        }  # fmt: skip

    def _prepare(self, movable_clock: bool) -> None:
        self.offset_file = OffsetFile.make(self._supervisor, Path(self._state["directory"])) if movable_clock else None

    def _start_server(self, kind: str) -> AnyServer:
        moved = None if self.offset_file is None else self.offset_file.variables
        server: AnyServer
        if kind == "postgres" and self._wanted.postgres_url:
            psql = str(postgres().bin / "psql")
            server = GivenPostgres.begin(
                self._supervisor, self.log_dir, self._wanted.postgres_url, psql, self._progress
            )
        elif kind == "postgres":
            server = EmbeddedPostgres.start(
                self._supervisor, Path(self._state["directory"]), self.log_dir, progress=self._progress,
                environment=moved, lasting=self._state["lasting"],
                wanted=self._wanted, **self._state["plan"]["postgres"],
            )  # fmt: skip
        elif kind == "blobs":
            if self._wanted.blobs_image:
                self._progress(f"the packaged Azurite stands for {self._wanted.blobs_image}")
            server = start_azurite(
                self._supervisor, self.log_dir, progress=self._progress, environment=moved, location=self._folder("blobs"),
                **self._state["plan"]["blobs"],
            )  # fmt: skip
        else:
            server = start_servicebus(self._supervisor, self.log_dir, data_dir=self._folder("servicebus"))
        if self.offset_file is not None:
            self.offset_file.adopt_all()
        return server

    def _find_server(self, kind: str, state: Mapping[str, Any]) -> AnyServer:
        ours = kind == "postgres" and "url" not in state
        return EmbeddedPostgres(self._supervisor, state) if ours else super()._find_server(kind, state)

    def _folder(self, name: str) -> Path | None:
        """Where a server of a lasting stack keeps its data."""
        if not self._state["lasting"]:
            return None
        folder = Path(self._state["directory"]) / name
        folder.mkdir(mode=0o700)
        return folder

    def _keep(self) -> None:
        if self.servers.stands("postgres"):
            server = self.servers.postgres()
            if isinstance(server, EmbeddedPostgres):
                server.keep_templates()
        if self.servers.stands("blobs") and not _compiled():
            self._supervisor.call("stop", name=BlobServer.PROCESS)  # kindly, so that Node keeps what it compiled


def _compiled() -> bool:
    """Whether Node has already kept what it compiled of Azurite (it does when it exits by itself, not when it is killed)."""
    folder = azurite().compile_cache
    return folder.is_dir() and any(folder.iterdir())
