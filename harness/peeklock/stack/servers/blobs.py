"""Azurite, with an account of its own for each environment."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from peeklock.stack.errors import StackError
from peeklock.stack.servers.blob_http import BlobAccount, BlobError
from peeklock.stack.servers.server import Server
from peeklock.supervision.client import SupervisorClient

_PROBE = "probe"


def new_accounts(count: int) -> list[dict[str, str]]:
    """Accounts with random keys; the first is the backend's own, for its probe."""
    return [
        {"name": _PROBE if n == 0 else f"peeklock{n - 1}", "key": base64.b64encode(secrets.token_bytes(32)).decode()}
        for n in range(count + 1)
    ]


class BlobServer(Server):
    """A running Azurite. Thread-safe."""

    PROCESS = "azurite"
    TITLE = "Azurite"
    READY = "successfully listens on"

    def __init__(self, supervisor: SupervisorClient, state: Mapping[str, Any]) -> None:
        super().__init__(supervisor, state)
        self.port: int = state["port"]
        self._accounts: list[dict[str, str]] = state["accounts"]
        self._clients: dict[int, BlobAccount] = {}

    def round_trip(self) -> None:
        """Raise `StackError` unless what is put can be got."""
        probe = BlobAccount(self.port, self._accounts[0]["name"], self._accounts[0]["key"])
        try:
            probe.create_container(_PROBE)
            probe.put(_PROBE, "ready", b"ready")
            if probe.get(_PROBE, "ready") != b"ready":
                raise StackError("Azurite gives back other bytes than it was given", where=f"127.0.0.1:{self.port}")
        except (OSError, BlobError) as error:
            raise self._lost(error) from error
        finally:
            probe.close()

    def time(self) -> float:
        """What its clock shows, in seconds since 1970: when it says that a blob was written."""
        probe = BlobAccount(self.port, self._accounts[0]["name"], self._accounts[0]["key"])
        try:
            return probe.put(_PROBE, "time", b"").timestamp()
        except (OSError, BlobError) as error:
            raise self._lost(error) from error
        finally:
            probe.close()

    @staticmethod
    def plan(port: int, account: Mapping[str, str]) -> str:
        """The connection string, known before the server runs."""
        name, key = account["name"], account["key"]
        return f"DefaultEndpointsProtocol=http;AccountName={name};AccountKey={key};BlobEndpoint=http://127.0.0.1:{port}/{name};"

    def connection_string(self, slot: int) -> str:
        return self.plan(self.port, self._accounts[slot + 1])

    def key(self, slot: int) -> str:
        return self._accounts[slot + 1]["key"]

    def reset(self, slot: int, containers: Sequence[str]) -> None:
        """Leave exactly `containers` in the account, empty; a few milliseconds each."""
        account = self._accounts[slot + 1]
        client = self._clients.setdefault(slot, BlobAccount(self.port, account["name"], account["key"]))
        try:
            client.reset(list(containers))
        except (OSError, BlobError) as error:
            raise self._lost(error) from error

    def containers(self, slot: int) -> list[str]:
        """Containers that an account has."""
        account = self._accounts[slot + 1]
        client = self._clients.setdefault(slot, BlobAccount(self.port, account["name"], account["key"]))
        try:
            return client.containers()
        except (OSError, BlobError) as error:
            raise self._lost(error) from error

    def forget_connections(self) -> None:
        self.close()

    def _refused(self, error: Exception) -> StackError:
        return StackError("Azurite refused", actual=f"{type(error).__name__}: {error}", where=str(self.log_file))

    def close(self) -> None:
        for client in self._clients.values():
            client.close()
        self._clients.clear()
