"""Postgres in a container."""

from __future__ import annotations

from pathlib import Path

from peeklock.stack.containers.site import Site
from peeklock.stack.embedded.tools import postgres as binaries
from peeklock.stack.servers.postgres import ROLE, PostgresServer
from peeklock.supervision.client import SupervisorClient

_INSIDE = 5432


def start_postgres(
    site: Site, supervisor: SupervisorClient, log_dir: Path, image: str, *, port: int, password: str, lasting: bool
) -> PostgresServer:
    """Start it, published at `port`; returns when it answers a query. `lasting`: what was committed survives its end, however it ends."""
    from testcontainers.community.postgres import PostgresContainer

    class Postgres(PostgresContainer):
        def _connect(self) -> None:
            """Ready is what our own query says; asking by `docker exec` would cost a second."""

    container = Postgres(
        image,
        port=_INSIDE,
        username=ROLE,
        password=password,
        dbname="postgres",
        driver=None,
        docker_client_kw=site.client,
    )
    if lasting:
        container.with_command(["-c", "synchronous_commit=on"])
    log = log_dir / "postgres.log"
    name, title = PostgresServer.PROCESS, PostgresServer.TITLE
    placed = site.place(container, name, title=title, log=log, ports={port: _INSIDE}, known=[password])
    try:
        placed.watcher.until_line(lambda line: PostgresServer.READY in line, PostgresServer.READY, 30.0)
    finally:
        placed.watcher.close()
    psql = str(binaries().bin / "psql")
    server = PostgresServer(supervisor, {"port": port, "password": password, "log": str(log), "psql": psql})
    server.time()
    return server
