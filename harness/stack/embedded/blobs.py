"""Azurite for one stack: in memory, on loopback, with an account of its own for each environment."""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.stack.embedded.blob_http import BlobAccount, BlobError
from harness.stack.embedded.tools import Progress, azurite, node, silent
from harness.stack.errors import StackError
from harness.stack.readiness import Watcher
from harness.stack.supervisor_client import SupervisorClient

NAME = "azurite"
_TITLE = "Azurite"
_TRIES = 5
_PROBE = "probe"


def new_accounts(count: int) -> list[dict[str, str]]:
    """Accounts with random keys; the first is the backend's own, for its probe."""
    return [
        {"name": _PROBE if n == 0 else f"peeklock{n - 1}", "key": base64.b64encode(secrets.token_bytes(32)).decode()}
        for n in range(count + 1)
    ]


class BlobServer:
    """A running Azurite, started here or found through the supervisor's state. Thread-safe."""

    PROCESS = NAME
    """Its name at the supervisor."""

    def __init__(self, supervisor: SupervisorClient, state: Mapping[str, Any]) -> None:
        self._supervisor = supervisor
        self._state = dict(state)
        self.port: int = state["port"]
        self.log_file = Path(state["log"])
        self._accounts: list[dict[str, str]] = state["accounts"]
        self._clients: dict[int, BlobAccount] = {}

    @property
    def state(self) -> dict[str, Any]:
        """What another process needs to use this server; kept in the supervisor's memory only."""
        return dict(self._state)

    @classmethod
    def start(
        cls, supervisor: SupervisorClient, log_dir: Path, *, port: int, fixed: bool, accounts: list[dict[str, str]],
        progress: Progress = silent, environment: Mapping[str, str] | None = None, location: Path | None = None,
    ) -> BlobServer:  # fmt: skip
        """Start Azurite; returns after a PUT and a GET. `fixed` and `environment` as in `PostgresServer.start`."""
        bundle = azurite(progress)
        log = log_dir / "azurite.log"
        keys = [account["key"] for account in accounts]
        env = {
            "PATH": os.environ.get("PATH", os.defpath),
            "TZ": "UTC",
            "NODE_COMPILE_CACHE": str(bundle.compile_cache),
            "NODE_NO_WARNINGS": "1",
            "AZURITE_ACCOUNTS": ";".join(f"{account['name']}:{account['key']}" for account in accounts),
            **(environment or {}),
        }
        keeping = ["--inMemoryPersistence"] if location is None else ["--location", str(location)]
        for attempt in range(_TRIES):
            argv = [
                str(node().node), str(bundle.script), "--blobHost", "127.0.0.1", "--blobPort", str(port), *keeping,
                "--skipApiVersionCheck", "--disableProductStyleUrl", "--silent", "--disableTelemetry",
            ]  # fmt: skip
            watcher = Watcher(supervisor, NAME, title=_TITLE, log_file=log, secrets=keys)
            try:
                # SIGTERM and patience: Node writes its compile cache only when it exits by itself.
                supervisor.spawn(NAME, argv, env, Path("/"), log=str(log), layer=0, grace=3.0, secrets=keys)
                watcher.until_line(lambda line: "successfully listens on" in line, "successfully listens on", 30.0)
            except StackError:
                if "EADDRINUSE" not in "\n".join(watcher.tail()):
                    raise
                if fixed or attempt == _TRIES - 1:
                    raise StackError.port_in_use(port, _TITLE) from None
                port = supervisor.reserve_ports(1)[0]
                continue
            finally:
                watcher.close()
            break
        server = cls(supervisor, {"port": port, "accounts": accounts, "log": str(log)})
        server._round_trip()
        return server

    def _round_trip(self) -> None:
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

    def forget_connections(self) -> None:
        """The server has been away: the next to ask connects anew."""
        self.close()

    def lost(self) -> StackError:
        """The error that tells of its end, with its last words."""
        return self._lost(ConnectionError("its process has ended"))

    def _lost(self, error: Exception) -> StackError:
        child = next(iter(self._supervisor.call("children", prefix=NAME)["children"]), None)
        if child is not None and child["code"] is None:
            return StackError("Azurite refused", actual=f"{type(error).__name__}: {error}", where=str(self.log_file))
        tail = [text for _, text in self._supervisor.call("tail", name=NAME)["lines"]] if child else []
        return StackError.dead_dependency(_TITLE, child["code"] if child else None, tail, self.log_file)

    def close(self) -> None:
        for client in self._clients.values():
            client.close()
        self._clients.clear()
