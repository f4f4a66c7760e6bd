"""`peeklock dashboard` — the metrics of all that stands, for Prometheus and Grafana, until Ctrl-C."""

from __future__ import annotations

import signal
import threading
from typing import Annotated

import typer

from peeklock.cli.exits import exits
from peeklock.stack.errors import unwritable
from peeklock.stack.project.root import stack_root
from peeklock.stack.warm.grafana import grafana_dashboard, prometheus_configuration
from peeklock.stack.warm.metrics_page import MetricsPage
from peeklock.stack.warm.standing import standing
from peeklock.standins.server import StandInServer


def dashboard(
    port: Annotated[int, typer.Option(min=0, max=65535, help="where Prometheus finds the page; 0: any")] = 9464,
) -> None:
    """Show the metrics of the warm stack and its services on one page, and write what Prometheus and Grafana need."""
    root = stack_root()
    folder = root / ".peeklock" / "dashboard"
    with exits():
        server = StandInServer(MetricsPage(root), port, "the page of metrics")
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            (folder / "prometheus.yml").write_text(prometheus_configuration(server.port), encoding="utf-8")
            (folder / "grafana.json").write_text(grafana_dashboard(), encoding="utf-8")
        except OSError as error:
            server.close()
            raise unwritable(folder, error) from error
    typer.echo(f"metrics of what stands: http://127.0.0.1:{server.port}/metrics (Ctrl-C ends it)")
    typer.echo(f"  prometheus --config.file={folder / 'prometheus.yml'}")
    typer.echo(f"  Grafana: a data source for http://127.0.0.1:9090, and import {folder / 'grafana.json'}")
    if not standing(root):
        typer.echo("nothing stands yet: `peeklock up`, then `peeklock run`, and it is there")
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    ended.wait()
    server.close()
