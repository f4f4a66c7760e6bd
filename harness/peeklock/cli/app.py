"""Every command of `peeklock`, a file each. Only the one that is asked for is loaded: all of them take a second."""

from __future__ import annotations

from importlib import import_module
from typing import Annotated

import typer

from peeklock import __version__

COMMANDS = {
    "run": "run",
    "check": "check",
    "alerts": "alerts",
    "coverage": "coverage",
    "dashboard": "dashboard",
    "plan": "plan",
    "preflight": "preflight",
    "schema": "schema",
    "up": "warm",
    "down": "warm",
    "status": "warm",
    "reset": "warm",
    "logs": "warm",
    "env": "env",
    "setup": "setup",
    "doctor": "doctor",
    "init": "init",
    "explore": "explore",
    "load": "load",
    "record": "record",
    "report": "report",
    "merge": "merge",
    "show": "show",
    "mcp": "mcp",
    "dlq": "dlq",
    "ui": "ui",
    "images": "images",
}
"""Name of each command, and the module that has it under this name."""


def app_for(arguments: list[str]) -> typer.Typer:
    """Return the command line with the command that `arguments` begin with, or with all of them when there is no such command."""
    app = typer.Typer(
        name="peeklock",
        help="A local-first end-to-end harness for systems on Azure Service Bus, Blob Storage and Postgres.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback()(_main)
    asked = arguments[0] if arguments else ""
    for name in [asked] if asked in COMMANDS else COMMANDS if asked != "--version" else ():
        command = getattr(import_module(f"peeklock.cli.{COMMANDS[name]}"), name)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name)(command)
    app.command("servicebus", add_help_option=False)(_servicebus)
    return app


def _tell_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"peeklock {__version__}")
        raise typer.Exit


def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="tell the version and end")
    ] = False,
) -> None:
    """Say what holds for every command."""


def _servicebus() -> None:
    """Run the Service Bus emulator alone: a plain process, no Docker (see `peeklock servicebus --help`)."""
    # main() has handed this command over before this module is imported; it stands here for the list of commands
