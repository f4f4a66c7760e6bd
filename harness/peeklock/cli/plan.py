"""`peeklock plan` — what starts replicas and executions, and what a scaling rule would have done with a recorded load."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from peeklock.cli.exits import INVALID, exits
from peeklock.durations import format_duration, parse_duration
from peeklock.scaling import OWNER, all_unseen, unseen
from peeklock.scaling.forecast import Row, forecast
from peeklock.scaling.load import Load, LoadError, read
from peeklock.scenario.cron import moments
from peeklock.scenario.loader import load
from peeklock.scenario.model import Scenario
from peeklock.scenario.services import Scale
from peeklock.verbs import VOCABULARY

_DUE = 3
"""How many moments of a schedule are shown."""


def plan(
    path: Annotated[Path, typer.Argument(help="the scenario file whose services have the rules")],
    recorded: Annotated[
        Path | None,
        typer.Option(
            "--load", help="ledger.ndjson of a run, or lines of seconds,messages", exists=True, dir_okay=False
        ),
    ] = None,
    service: Annotated[str | None, typer.Option(help="which service; default: the only one with a rule")] = None,
    takes: Annotated[str, typer.Option(help="how long an execution of a job lasts, as in 90s")] = "0s",
    changes: Annotated[bool, typer.Option("--changes", help="only looks at which the number changed")] = False,
) -> None:
    """Print what scales each service and when schedules are due next; with --load, look by look, how many replicas there would
    have been, and why."""
    with exits():
        scenario = load(path, VOCABULARY)
    rules = {name: each.scale for name, each in scenario.header.services.items() if each.scale is not None}
    for warning in warnings(scenario):
        typer.echo(warning, err=True)
    if recorded is None:
        _print_triggers({name: rule for name, rule in rules.items() if service in (None, name)})
        return
    name, rule = _chosen(rules, service, path)
    if not rule.queues:
        typer.echo(f"error: {name} looks at no queue: a load starts nothing\n  where: {path}", err=True)
        raise typer.Exit(INVALID)
    try:
        text = recorded.read_text(encoding="utf-8")
        loads = [read(text, queue.queue, alone=len(rule.queues) == 1) for queue in rule.queues]
        seconds = parse_duration(takes)
    except (LoadError, ValueError) as error:
        typer.echo(f"error: {error}\n  where: {recorded}", err=True)
        raise typer.Exit(INVALID) from None
    _print_forecast(rule, loads, seconds, [bool(unseen(q, scenario.header.stack)) for q in rule.queues], changes)


def warnings(scenario: Scenario) -> list[str]:
    """Return what is allowed and yet hardly meant: rules whose scaler sees nothing, settings that are passed over."""
    found = all_unseen(scenario.header.services, scenario.header.stack)
    unseen_ones = [scenario.document.problem(path, why, fix=_FIXES[path[-1]]).render() for path, why in found]
    return [f"warning: {text}" for text in (*scenario.passed_over, *unseen_ones)]


_FIXES: dict[str | int, str] = {
    "auth": "give the access rule Manage, or name another",
    "identity": f"give the identity the role {OWNER} on the queue, or name another",
}


def _print_triggers(rules: dict[str, Scale]) -> None:
    table = _table(
        ("service", "left"), ("kind", "left"), ("started by", "left"), ("at most", "right"), ("next due (UTC)", "left")
    )
    for name, rule in rules.items():
        job = rule.job
        due: list[datetime] = []
        if job is None or job.trigger == "event":
            started = ", ".join(f"{queue.queue} ({queue.messages} each)" for queue in rule.queues)
        elif job.cron is not None:
            started, due = job.cron, list(itertools.islice(moments(job.cron, datetime.now(UTC)), _DUE))
        else:
            started = f"job: {{start: {name}}}"
        kind = (
            "deployment"
            if job is None
            else f"{job.trigger} job" + (f" of {job.parallelism}" if job.parallelism > 1 else "")
        )
        table.add_row(name, kind, started, str(rule.max), ", ".join(f"{moment:%a %Y-%m-%d %H:%M}" for moment in due))
    Console(highlight=False).print(table if rules else "no service has a `scale`")


def _print_forecast(rule: Scale, loads: list[Load], takes: float, blind: list[bool], changes: bool) -> None:
    queues = ["messages"] if len(loads) == 1 else [queue.queue for queue in rule.queues]
    counts = [(queue, "right") for queue in queues]
    table = _table(("after", "right"), *counts, ("replicas", "right"), ("", "left"), ("why", "left"))
    before: Row | None = None
    for row in forecast(rule, loads, takes, blind):
        if not changes or before is None or row.replicas != before.replicas:
            bar = "█" * row.replicas
            table.add_row(format_duration(row.at), *map(str, row.counts), str(row.replicas), bar, row.why)
        before = row
    Console(highlight=False).print(table)


def _table(*columns: tuple[str, str]) -> Table:
    table = Table(box=None, pad_edge=False)
    for title, justify in columns:
        table.add_column(title, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    return table


def _chosen(rules: dict[str, Scale], service: str | None, path: Path) -> tuple[str, Scale]:
    if service is None and len(rules) == 1:
        return next(iter(rules.items()))
    if service is not None and service in rules:
        return service, rules[service]
    known = ", ".join(sorted(rules)) or "none"
    what = f"no service {service!r} with a rule" if service else "which service? say --service"
    typer.echo(f"error: {what}\n  where: {path}\n  services with `scale`: {known}", err=True)
    raise typer.Exit(INVALID)
