"""`peeklock coverage` — which case shows which acceptance criterion."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from peeklock.cli.check import DEFAULT
from peeklock.cli.exits import FAILED, exits
from peeklock.engine.plan import load_all
from peeklock.engine.session import case_id
from peeklock.reports.html.record import recorded_folder
from peeklock.reports.stored_coverage import StoredCoverage
from peeklock.scenario.criteria import load_criteria, sort_key
from peeklock.stack.project.root import stack_root
from peeklock.verbs import VOCABULARY


def coverage(
    paths: Annotated[list[Path] | None, typer.Argument(help="files or folders; default: scenarios/")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="exit with 1 when a criterion has no case")] = False,
    run: Annotated[
        str,
        typer.Option(help="what a run has not shown of criteria, queues and contracts: last, run-7, 7, or its folder"),
    ] = "",
    as_json: Annotated[
        bool, typer.Option("--json", help="for tools: all of a run's coverage as one JSON object")
    ] = False,
) -> None:
    """List the acceptance criteria and the cases that cover each; those without a case are named."""
    if paths and run:
        raise typer.BadParameter("a run has chosen its files already: name files, or --run", param_hint="PATHS")
    if as_json and not run:
        raise typer.BadParameter("it is there for the coverage of a run: --run last --json", param_hint="--json")
    if run:
        _of_run(run, strict, as_json)
        return
    with exits():
        scenarios = load_all(paths or [DEFAULT], VOCABULARY)
        criteria = load_criteria(paths or [DEFAULT])
    cases: dict[str, list[str]] = {criterion: [] for criterion in criteria}
    for scenario in scenarios:
        for case in scenario.cases:
            for criterion in scenario.covers(case):
                cases.setdefault(criterion, []).append(case_id(scenario, case))
    console = Console(highlight=False)
    for criterion in sorted(cases, key=sort_key):
        line = Text(f"{criterion:<7}", "bold" if cases[criterion] else "bold red")
        line.append(criteria.get(criterion, "(not in any criteria.yaml)"), "")
        console.print(line, soft_wrap=True)
        for name in cases[criterion] or ["no case"]:
            console.print(Text(f"        {name}", "dim" if cases[criterion] else "red"), soft_wrap=True)
    covered = sum(bool(names) for names in cases.values())
    console.print(f"{covered} of {len(cases)} criteria are covered")
    if strict and covered < len(cases):
        raise typer.Exit(FAILED)


def _of_run(run: str, strict: bool, as_json: bool) -> None:
    with exits():
        found = StoredCoverage(recorded_folder(stack_root(), "" if run == "last" else run))
    if as_json:
        typer.echo(json.dumps(found.as_json()))
    for line in () if as_json else found.lines():
        typer.echo(line)
    if strict and found.uncovered:
        raise typer.Exit(FAILED)
