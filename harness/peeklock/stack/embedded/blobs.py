"""Azurite as a process: in memory unless told otherwise, on loopback."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from peeklock.errors import PeeklockError
from peeklock.stack.embedded.tools import azurite, node
from peeklock.stack.errors import port_in_use
from peeklock.stack.progress import Progress, silent
from peeklock.stack.servers.blobs import BlobServer
from peeklock.supervision.client import SupervisorClient
from peeklock.supervision.readiness import Watcher

_TRIES = 5


def start_azurite(
    supervisor: SupervisorClient, log_dir: Path, *, port: int, fixed: bool, accounts: list[dict[str, str]],
    progress: Progress = silent, environment: Mapping[str, str] | None = None, location: Path | None = None,
) -> BlobServer:  # fmt: skip
    """Start Azurite; returns after a PUT and a GET. `fixed` and `environment` as in `EmbeddedPostgres.start`."""
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
        watcher = Watcher(supervisor, BlobServer.PROCESS, title=BlobServer.TITLE, log_file=log, secrets=keys)
        try:
            # SIGTERM and patience: Node writes its compile cache only when it exits by itself.
            supervisor.spawn(BlobServer.PROCESS, argv, env, Path("/"), log=str(log), layer=0, grace=3.0, secrets=keys)
            watcher.until_line(lambda line: BlobServer.READY in line, BlobServer.READY, 30.0)
        except PeeklockError:
            if "EADDRINUSE" not in "\n".join(watcher.tail()):
                raise
            if fixed or attempt == _TRIES - 1:
                raise port_in_use(port, BlobServer.TITLE) from None
            port = supervisor.reserve_ports(1)[0]
            continue
        finally:
            watcher.close()
        break
    server = BlobServer(supervisor, {"port": port, "accounts": accounts, "log": str(log)})
    server.round_trip()
    return server
