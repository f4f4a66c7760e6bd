"""What an environment asks of the stack that it is on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from peeklock.stack.backend import Endpoints, EnvironmentSpec
from peeklock.stack.clock.offset_file import OffsetFile
from peeklock.stack.environment.launcher import Launcher
from peeklock.stack.environment.record import Record
from peeklock.stack.servers.group import ServerGroup
from peeklock.supervision.children import Children


class HostStack(Protocol):
    """A stack on which environments are made."""

    @property
    def servers(self) -> ServerGroup: ...
    @property
    def children(self) -> Children: ...
    @property
    def offset_file(self) -> OffsetFile | None: ...
    def launcher(self, spec: EnvironmentSpec, record: Record, endpoints: Endpoints) -> Launcher:
        """What starts the services of an environment."""

    def planned_blobs(self, slot: int, containers: Sequence[str]) -> tuple[str, dict[str, str]]:
        """The connection string of an account, known before Azurite answers, and what its containers are called there."""
