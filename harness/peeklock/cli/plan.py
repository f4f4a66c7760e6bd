"""`peeklock plan` — what a scaling rule would have done with a recorded load."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from peeklock.cli.exits import INVALID, exits
from peeklock.durations import format_duration, parse_duration
from peeklock.scaling.forecast import forecast
from peeklock.scaling.load import LoadError, read
from peeklock.scenario.loader import load
from peeklock.scenario.services import Scale
from peeklock.verbs import VOCABULARY


def plan(
    path: Annotated[Path, typer.Argument(help="the scenario file whose services have the rules")],
    recorded: Annotated[
        Path,
        typer.Option(
            "--load", help="ledger.ndjson of a run, or lines of seconds,messages", exists=True, dir_okay=False
        ),
    ],
    service: Annotated[str | None, typer.Option(help="which service; default: the only one with a rule")] = None,
    takes: Annotated[str, typer.Option(help="how long an execution of a job lasts, as in 90s")] = "0s",
    changes: Annotated[bool, typer.Option("--changes", help="only looks at which the number changed")] = False,
) -> None:
    """Print, look by look, how many replicas there would have been, and why."""
    with exits():
        rules = {name: each.scale for name, each in load(path, VOCABULARY).header.services.items() if each.scale}
    rule = _chosen(rules, service, path)
    try:
        found = read(recorded.read_text(encoding="utf-8"), rule.queue)
        seconds = parse_duration(takes)
    except (LoadError, ValueError) as error:
        typer.echo(f"error: {error}\n  where: {recorded}", err=True)
        raise typer.Exit(INVALID) from None
    table = Table(box=None, pad_edge=False)
    for title, justify in (
        ("after", "right"),
        ("messages", "right"),
        ("replicas", "right"),
        ("", "left"),
        ("why", "left"),
    ):
        table.add_column(title, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    before: int | None = None
    for row in forecast(rule, found, seconds):
        if not changes or row.replicas != before:
            bar = "█" * row.replicas
            table.add_row(format_duration(row.at), str(row.count), str(row.replicas), bar, row.why)
        before = row.replicas
    Console(highlight=False).print(table)


def _chosen(rules: dict[str, Scale], service: str | None, path: Path) -> Scale:
    if service is None and len(rules) == 1:
        return next(iter(rules.values()))
    if service in rules:
        return rules[service]
    known = ", ".join(sorted(rules)) or "none"
    what = f"no service {service!r} with a rule" if service else "which service? say --service"
    typer.echo(f"error: {what}\n  where: {path}\n  services with `scale`: {known}", err=True)
    raise typer.Exit(INVALID)
