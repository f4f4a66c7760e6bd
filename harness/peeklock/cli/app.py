"""Every command of `peeklock`, a file each."""

from __future__ import annotations

from typing import Annotated

import typer

from peeklock import __version__
from peeklock.cli import (
    alerts,
    check,
    coverage,
    dashboard,
    dlq,
    env,
    images,
    init,
    plan,
    preflight,
    record,
    report,
    run,
    schema,
    setup,
    warm,
)

app = typer.Typer(
    name="peeklock",
    help="A local-first end-to-end harness for systems on Azure Service Bus, Blob Storage and Postgres.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

app.command("run")(run.run)
app.command("check")(check.check)
app.command("alerts")(alerts.alerts)
app.command("coverage")(coverage.coverage)
app.command("dashboard")(dashboard.dashboard)
app.command("plan")(plan.plan)
app.command("preflight")(preflight.preflight)
app.command("schema")(schema.schema)
app.command("up")(warm.up)
app.command("down")(warm.down)
app.command("status")(warm.status)
app.command("reset")(warm.reset)
app.command("logs")(warm.logs)
app.command("env")(env.env)
app.command("setup")(setup.setup)
app.command("init")(init.init)
app.command("report")(report.report)
app.command("record")(record.record)
app.add_typer(dlq.dlq, name="dlq")
app.add_typer(images.images, name="images")


def _tell_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"peeklock {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="tell the version and end")
    ] = False,
) -> None:
    """Say what holds for every command."""


@app.command("servicebus", add_help_option=False)
def servicebus() -> None:
    """Run the Service Bus emulator alone: a plain process, no Docker (see `peeklock servicebus --help`)."""
    # main() has handed this command over before this module is imported; it stands here for the list of commands
