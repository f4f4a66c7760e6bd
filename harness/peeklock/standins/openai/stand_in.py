"""The stand-in for an Azure OpenAI resource."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from peeklock.scenario.topology import OpenAI
from peeklock.standins.active_faults import ActiveFaults
from peeklock.standins.journal import Journal
from peeklock.standins.openai.deployment import OpenAIDeployment
from peeklock.standins.openai.door import OpenAIDoor
from peeklock.standins.openai.faults import OpenAIFault
from peeklock.standins.server import StandInServer
from peeklock.standins.stand_in import Surroundings


class OpenAIStandIn:
    """Implements `StandIn`. Listens on `port` from its making until `close`."""

    def __init__(self, spec: OpenAI, port: int, keys: Mapping[str, str], surroundings: Surroundings) -> None:
        """`keys`: by the service that has it; that of nobody's is the test's. Raises `PeeklockError`."""
        self.journal = Journal()
        self.faults: ActiveFaults[Any] = ActiveFaults[OpenAIFault]()
        self._surroundings = surroundings
        self._deployments = {
            name: OpenAIDeployment(name, deployment, surroundings) for name, deployment in spec.deployments.items()
        }
        door = OpenAIDoor(self._deployments, keys, self.journal, self.faults, surroundings)
        self._server = StandInServer(door, port, "the Azure OpenAI stand-in")

    def reset(self) -> None:
        self.faults.forget()
        for deployment in self._deployments.values():
            deployment.reset()
        self.journal.clear()

    def close(self) -> None:
        self._server.close()
        self._surroundings.functions.close()
