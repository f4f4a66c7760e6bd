"""Azurite in a container."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from testcontainers.community.azurite import AzuriteContainer

from peeklock.stack.containers.deployment import Deployment, Placement
from peeklock.stack.containers.named_images import Chosen
from peeklock.stack.servers.blobs import BlobServer
from peeklock.supervision.client import SupervisorClient

_INSIDE = 10_000
_OFFICIAL = [
    "azurite-blob", "--blobHost", "0.0.0.0", "--blobPort", str(_INSIDE), "--silent", "--skipApiVersionCheck",
    "--disableProductStyleUrl", "--disableTelemetry",
]  # fmt: skip
"""What the official image, and those made of it, are given; ours says it by itself."""
_DATA = "/home/peeklock/data"


def start_azurite(
    deployment: Deployment, supervisor: SupervisorClient, log_dir: Path, image: Chosen, *, port: int,
    accounts: Sequence[dict[str, str]], lasting: bool,
) -> BlobServer:  # fmt: skip
    """Start it, published at `port`; returns after a PUT and a GET. `lasting`: it keeps its blobs when it is stopped and started."""
    container = AzuriteContainer(image.reference, blob_service_port=_INSIDE, **deployment.options())
    container.with_env("AZURITE_ACCOUNTS", ";".join(f"{account['name']}:{account['key']}" for account in accounts))
    kept = ["--location", _DATA] if lasting else ["--inMemoryPersistence"]
    if not image.ours:
        container.with_command([*_OFFICIAL, *kept])
    elif lasting:
        container.with_command(["--silent", *kept])
    placement = Placement(
        BlobServer.PROCESS, BlobServer.TITLE, log_dir / "azurite.log", {port: _INSIDE},
        secrets=[account["key"] for account in accounts], ready=lambda line: BlobServer.READY in line, grace=3.0,
    )  # fmt: skip
    deployment.start(container, placement)
    server = BlobServer(supervisor, {"port": port, "accounts": list(accounts), "log": str(placement.log)})
    server.round_trip()
    return server
