"""An HTTP stand-in of a scenario."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from peeklock.errors import PeeklockError
from peeklock.scenario import http_standins
from peeklock.standins.active_faults import ActiveFaults
from peeklock.standins.http.azure_ml import AzureMLEndpoint
from peeklock.standins.http.door import HttpDoor
from peeklock.standins.journal import Journal
from peeklock.standins.server import StandInServer
from peeklock.standins.stand_in import Surroundings

if TYPE_CHECKING:
    from peeklock.standins.http.contract import Contract


def open_contract(file: Path) -> Contract:
    """Read a contract. Raises `PeeklockError`."""
    try:
        from peeklock.standins.http.contract import Contract  # 0.4 s, for stand-ins that have one; and an extra
    except ModuleNotFoundError as error:
        raise PeeklockError(
            f"a contract cannot be read without {error.name}", fix="install it: pip install 'peeklock[openapi]'"
        ) from None
    return Contract(file)


class ScenarioHttpStandIn:
    """Implements `StandIn`. Listens on `port` from its making until `close`."""

    def __init__(
        self, name: str, spec: http_standins.HttpStandIn, port: int, surroundings: Surroundings, keys: Mapping[str, str]
    ) -> None:
        """`keys`: of an Azure ML endpoint, by the service that has it; that of nobody's is the test's. Raises `PeeklockError` when the port is taken, or the contract is none."""
        self.faults: ActiveFaults[Any] = ActiveFaults()
        self._surroundings = surroundings

        def where(route: int) -> str:
            return surroundings.where(("stack", "http", name, "routes", route))

        contract = None if spec.contract is None else open_contract(spec.contract)
        self.journal = Journal(None if contract is None else contract.operations())
        self._endpoint = endpoint = AzureMLEndpoint(spec, keys, surroundings) if spec.kind == "azure_ml" else None
        self._door = HttpDoor(name, spec.routes, self.journal, surroundings, where, contract, endpoint, spec.host)
        self._server = StandInServer(self._door, port, f"the stand-in {name}")

    @property
    def port(self) -> int:
        return self._server.port

    def reset(self) -> None:
        self._door.router.reset()
        if self._endpoint is not None:
            self._endpoint.reset()
        self.journal.clear()

    def close(self) -> None:
        self._server.close()
        self._surroundings.functions.close()
