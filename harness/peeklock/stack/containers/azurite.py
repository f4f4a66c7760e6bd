"""Azurite in a container."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from peeklock.stack.containers.site import Site
from peeklock.stack.servers.blobs import BlobServer
from peeklock.supervision.client import SupervisorClient

_INSIDE = 10_000
_DATA = "/home/peeklock/data"


def start_azurite(
    site: Site, supervisor: SupervisorClient, log_dir: Path, image: str, *, port: int, accounts: Sequence[dict[str, str]],
    lasting: bool,
) -> BlobServer:  # fmt: skip
    """Start it, published at `port`; returns after a PUT and a GET. `lasting`: it keeps its blobs when it is stopped and started."""
    from testcontainers.community.azurite import AzuriteContainer

    class Azurite(AzuriteContainer):
        def _connect(self) -> None:
            """Ready is what our own request says."""

    container = Azurite(image, blob_service_port=_INSIDE, docker_client_kw=site.client)
    container.with_env("AZURITE_ACCOUNTS", ";".join(f"{account['name']}:{account['key']}" for account in accounts))
    if lasting:
        container.with_command(["--silent", "--location", _DATA])
    log = log_dir / "azurite.log"
    keys = [account["key"] for account in accounts]
    placed = site.place(
        container, BlobServer.PROCESS, title=BlobServer.TITLE, log=log, ports={port: _INSIDE}, known=keys, grace=3.0
    )
    try:
        placed.watcher.until_line(lambda line: BlobServer.READY in line, BlobServer.READY, 30.0)
    finally:
        placed.watcher.close()
    server = BlobServer(supervisor, {"port": port, "accounts": list(accounts), "log": str(log)})
    server.round_trip()
    return server
