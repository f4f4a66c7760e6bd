"""What listens for an environment in the process that runs its cases: stand-ins, and doors. Costs 50 ms to import."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import replace
from ssl import SSLContext
from typing import Any

from peeklock.connection_strings import parts_of
from peeklock.errors import PeeklockError
from peeklock.stack.backend import Endpoints, EnvironmentSpec
from peeklock.stack.blob_door.access import Access, Account
from peeklock.stack.blob_door.journal import BlobJournal
from peeklock.stack.blob_door.roles import BlobRole
from peeklock.stack.blob_door.server import BlobDoor
from peeklock.stack.blob_door.tokens import BearerTokens
from peeklock.stack.environment.doors import BLOBS, LOGIN, OPENAI, TELEMETRY
from peeklock.stack.environment.endpoints import addresses, blobs_port
from peeklock.stack.environment.record import Record
from peeklock.stack.identities import Identities
from peeklock.stack.names.host_certificate import host_certificate, host_context
from peeklock.stack.names.tls_front import TlsFront
from peeklock.stack.names.transport import transports
from peeklock.standins import StandIn, Surroundings
from peeklock.standins.http.stand_in import ScenarioHttpStandIn
from peeklock.standins.openai.stand_in import OpenAIStandIn

__all__ = ["Identities", "Listeners", "host_certificate"]


class Listeners:
    """Listen from their making until `close`."""

    def __init__(
        self, spec: EnvironmentSpec, record: Record, seen: Callable[[], Endpoints], now: Callable[[], float],
        surroundings: Surroundings | None, identities: Identities | None = None,
    ) -> None:  # fmt: skip
        """`seen`: where services find the dependencies, so that faults strike behind the doors. `identities`: whose bearer tokens
        are good, and what for. Raises `PeeklockError`."""
        self.standins: dict[str, StandIn] = {}
        self._doors: list[BlobDoor | TlsFront] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="doors", daemon=True)
        self._thread.start()
        try:
            if surroundings is not None:
                self._open_standins(spec, record, replace(
                    surroundings, bearer=None if identities is None else identities.caller,
                    transports=lambda: transports(seen().names),
                ))  # fmt: skip
            if (port := record.door_ports.get(OPENAI, 0)) and "openai" in self.standins:
                self._open(_front(seen, "openai"), port, "the door of Azure OpenAI")
            for name in spec.stack.http.keys() & self.standins.keys() & record.door_ports.keys():
                host = spec.stack.http[name].host
                own = None if host is None else (host, host_context(record.host_certificate[1]))
                self._open(_front(seen, name, own), record.door_ports[name], f"the TLS door of {name}")
            if port := record.door_ports.get(LOGIN, 0):
                self._open(TlsFront(lambda: record.standin_ports["identities"]), port, "the door of the token issuer")
            if port := record.door_ports.get(TELEMETRY, 0):
                receiver = record.standin_ports["telemetry"]
                self._open(TlsFront(lambda: receiver), port, "the door of Application Insights")
            if port := record.door_ports.get(BLOBS, 0):
                access = _access(spec, record, seen, now, identities)
                journal = BlobJournal(lambda principal: "" if identities is None else identities.name_of(principal))
                self._open(BlobDoor(access, journal=journal), port, "the blob door")
                self.standins["blobs"] = journal
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close every port and connection. Idempotent."""
        for standin in self.standins.values():
            standin.close()
        if self._thread.is_alive():
            for door in self._doors:
                self._do(door.stop())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def _open_standins(self, spec: EnvironmentSpec, record: Record, surroundings: Surroundings) -> None:
        ports = record.standin_ports
        if spec.stack.openai is not None:
            keys = record.standin_keys
            self.standins["openai"] = OpenAIStandIn(spec.stack.openai, ports["openai"], keys, surroundings)
        for name, each in spec.stack.http.items():
            self.standins[name] = ScenarioHttpStandIn(
                name, each, ports[name], surroundings, record.http_keys.get(name, {})
            )

    def _open(self, door: BlobDoor | TlsFront, port: int, title: str) -> None:
        try:
            self._do(door.start(port))
        except OSError as error:
            raise PeeklockError(
                f"{title} cannot listen on port {port}",
                actual=str(error),
                fix="end whatever took the port, or run again: another port is chosen",
            ) from error
        self._doors.append(door)

    def _do(self, work: Coroutine[Any, Any, Any]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result()


def _front(seen: Callable[[], Endpoints], name: str, own: tuple[str, SSLContext] | None = None) -> TlsFront:
    return TlsFront(lambda: addresses(seen())[name], own)


def _access(
    spec: EnvironmentSpec, record: Record, seen: Callable[[], Endpoints], now: Callable[[], float],
    identities: Identities | None,
) -> Access:  # fmt: skip
    facts = parts_of(seen().blobs_connection_string or "")
    name = spec.stack.blobs.name if spec.stack.blobs is not None else None
    account = Account(name or facts["AccountName"], facts["AccountKey"], facts["AccountName"])
    tokens = None if identities is None else BearerTokens(identities.issuer, identities.jwks(), now, account.name)

    def roles(principal: str) -> Iterable[BlobRole]:
        return () if identities is None else identities.blob_roles(principal)

    return Access(
        account, lambda: blobs_port(seen()), now, tokens, roles, bytes.fromhex(record.door_secret)
    )  # fmt: skip
