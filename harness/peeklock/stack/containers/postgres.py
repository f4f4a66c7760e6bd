"""Postgres in a container."""

from __future__ import annotations

from pathlib import Path

from testcontainers.community.postgres import PostgresContainer

from peeklock.stack.containers.deployment import Deployment, Placement
from peeklock.stack.embedded.tools import postgres as binaries
from peeklock.stack.servers.postgres import ROLE, PostgresServer
from peeklock.supervision.client import SupervisorClient

_INSIDE = 5432


def start_postgres(
    deployment: Deployment, supervisor: SupervisorClient, log_dir: Path, image: str, *, port: int, password: str, lasting: bool
) -> PostgresServer:  # fmt: skip
    """Start it, published at `port`; returns when it answers a query. `lasting`: what was committed survives its end, however it ends."""
    container = PostgresContainer(
        image, port=_INSIDE, username=ROLE, password=password, dbname="postgres", driver=None, **deployment.options()
    )
    if lasting:
        container.with_command(["-c", "synchronous_commit=on"])
    placement = Placement(
        PostgresServer.PROCESS, PostgresServer.TITLE, log_dir / "postgres.log", {port: _INSIDE}, secrets=[password],
        ready=lambda line: PostgresServer.READY in line,
    )  # fmt: skip
    deployment.start(container, placement)
    psql = str(binaries().bin / "psql")
    server = PostgresServer(supervisor, {"port": port, "password": password, "log": str(placement.log), "psql": psql})
    server.time()
    return server
