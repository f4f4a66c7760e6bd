"""Postgres in a container."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from testcontainers.community.postgres import PostgresContainer

from peeklock.scenario.postgres import OLDEST
from peeklock.stack.containers.deployment import Deployment, Placement
from peeklock.stack.containers.named_images import Chosen
from peeklock.stack.embedded.installed_postgres import postgres as binaries
from peeklock.stack.servers.postgres import ROLE, PostgresServer
from peeklock.stack.servers.postgres_settings import settings_of
from peeklock.supervision.client import SupervisorClient

_INSIDE = 5432
_FOR_OTHERS = [each for each in settings_of(OLDEST) if not each.startswith("listen_addresses")]
"""Settings that every version knows, for images that are not ours, which have them."""


def start_postgres(
    deployment: Deployment, supervisor: SupervisorClient, log_dir: Path, image: Chosen, *, port: int, password: str,
    lasting: bool, settings: Sequence[str] = (),
) -> PostgresServer:  # fmt: skip
    """Start it, published at `port`; returns when it answers a query. `lasting`: what was committed survives its end, however it ends.

    `settings`: more for the server, as `name=value`.
    """
    container = PostgresContainer(
        image.reference,
        port=_INSIDE,
        username=ROLE,
        password=password,
        dbname="postgres",
        driver=None,
        **deployment.options(),
    )
    told = [*([] if image.ours else _FOR_OTHERS), *(["synchronous_commit=on"] if lasting else []), *settings]
    if told:
        container.with_command([part for each in told for part in ("-c", each)])
    placement = Placement(
        PostgresServer.PROCESS, PostgresServer.TITLE, log_dir / "postgres.log", {port: _INSIDE}, secrets=[password],
        ready=lambda line: PostgresServer.READY in line,
    )  # fmt: skip
    deployment.start(container, placement)
    psql = str(binaries().bin / "psql")
    server = PostgresServer(supervisor, {"port": port, "password": password, "log": str(placement.log), "psql": psql})
    server.time()
    return server
