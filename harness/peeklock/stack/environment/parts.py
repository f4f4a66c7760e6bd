"""What an environment asks of the stack that it is on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from peeklock.stack.backend import Endpoints, EnvironmentSpec
from peeklock.stack.clock.offset_file import OffsetFile
from peeklock.stack.environment.launcher import Launcher
from peeklock.stack.environment.record import Record
from peeklock.stack.servers.blobs import BlobServer
from peeklock.stack.servers.postgres import PostgresServer
from peeklock.stack.servers.servicebus import ServiceBusServer
from peeklock.supervision.children import Children

KINDS = ("postgres", "blobs", "servicebus")
"""The dependencies that there are."""


class Parts(Protocol):
    """The dependencies of the stack that an environment is on; each waits until its part stands. Raises `StackError`."""

    def postgres(self) -> PostgresServer: ...
    def blobs(self) -> BlobServer: ...
    def servicebus(self) -> ServiceBusServer: ...
    def check(self, kinds: Iterable[str]) -> None: ...
    @property
    def children(self) -> Children: ...
    def launcher(self, spec: EnvironmentSpec, record: Record, endpoints: Endpoints) -> Launcher: ...
    def planned_blobs(self, slot: int) -> str: ...
    @property
    def offset_file(self) -> OffsetFile | None: ...
