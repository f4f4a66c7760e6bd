"""`AzureStack`: dependencies are resources of the cloud; services are processes of this machine."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from peeklock.scenario.topology import Stack as StackSpec
from peeklock.stack.azure.blobs import AzureBlobs, container_name
from peeklock.stack.azure.resources import POSTGRES, lacking, named, resource
from peeklock.stack.azure.servicebus import AzureServiceBus
from peeklock.stack.embedded.installed_postgres import postgres
from peeklock.stack.errors import StackError
from peeklock.stack.local import LocalStack
from peeklock.stack.servers.given_postgres import GivenPostgres
from peeklock.stack.servers.group import AnyServer
from peeklock.stack.servers.made import new_prefix
from peeklock.supervision import usage
from peeklock.supervision.client import SupervisorClient

_MISSING = {
    "clock": "the cloud's clock is its own",
    "faults": "nothing stands between services and the cloud",
    "exact_ledger": "what happened to a message is not told by the cloud",
    "outages": "the cloud's servers are not ended",
    "docker": "services are processes of this machine",
}


class AzureStack(LocalStack):
    """Implements `backend.Stack` on what the environment names (`resources`)."""

    backend = "azure"

    @property
    def abilities(self) -> frozenset[str]:
        return frozenset() if usage.why_not() else frozenset({"usage"})

    def why_not(self, ability: str) -> str:
        return _MISSING.get(ability) or usage.why_not()

    def lacks(self, wanted: StackSpec) -> str:
        return lacking(wanted)

    @classmethod
    def _plan(cls, supervisor: SupervisorClient, ports: Mapping[str, int], room: int) -> dict[str, Any]:  # noqa: ARG003
        if not named():
            resource("servicebus")  # the error that says what to set
        if ports:
            raise StackError("the azure backend has no ports to choose", actual=", ".join(ports))
        return {"prefix": new_prefix()}

    def _prepare(self, movable_clock: bool) -> None:
        if movable_clock:
            raise StackError(_MISSING["clock"])

    def planned_blobs(self, slot: int, containers: Sequence[str]) -> tuple[str, dict[str, str]]:
        called = {name: container_name(self._state["prefix"], slot, name) for name in containers}
        return self.servers.blobs().connection_string(slot), called

    def _start_server(self, kind: str) -> AnyServer:
        if kind == "postgres":
            psql = shutil.which("psql") or str(postgres().bin / "psql")
            return GivenPostgres.begin(self._supervisor, self.log_dir, POSTGRES, psql, self._progress)
        state = {
            "connection_string": resource(kind),
            "prefix": self._state["prefix"],
            "log": str(self.log_dir / f"{kind}.log"),
        }
        if kind == "blobs":
            return AzureBlobs(self._supervisor, state).begin(self._progress)
        return AzureServiceBus(self._supervisor, state).begin(self._progress)

    def settle(self, root: Path, name: str = "stack") -> None:  # noqa: ARG002
        raise StackError(
            "the azure backend has no stack that stays up",
            expected="a run that removes in its end what it has made in the cloud",
            fix="leave `peeklock up` out: nothing has to be started there",
        )

    def _keep(self) -> None:
        """Nothing: all of it was removed."""
