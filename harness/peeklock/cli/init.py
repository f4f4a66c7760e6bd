"""`peeklock init` — a first scenario, made of what a repository tells of itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from peeklock.cli.exits import INVALID, exits
from peeklock.engine.plan import load_all
from peeklock.scenario.project import PROJECT_FILE
from peeklock.survey import CHANGE, Draft, scenario_text, survey
from peeklock.verbs import VOCABULARY

_PROJECT = """\
# What holds for every scenario file here; paths of services begin in this folder.
# timeout: 60s
# defaults: {eventually: 20s, settle: 20s}
"""


def init(
    path: Annotated[Path, typer.Argument(help="the file to write")] = Path("scenarios/first.yaml"),
    sources: Annotated[
        list[Path] | None,
        typer.Option(
            "--from",
            help="a compose file, Config.json, Bicep or Terraform file, ARM template, OpenAPI or AsyncAPI document; several of them; "
            "default: whatever is found here",
        ),
    ] = None,
) -> None:
    """Look round this folder and write a first scenario: your services, their variables, queues and databases.

    Reads compose files, Config.json, Bicep, ARM, Terraform, OpenAPI, AsyncAPI, Dockerfiles, migrations and the code of Python and Node; starts
    nothing. What it cannot carry over, and what only you know, is told.
    """
    if path.exists():
        typer.echo(f"{path} is there already; name another file", err=True)
        raise typer.Exit(INVALID)
    root = Path.cwd()
    with exits():
        draft = survey(root, sources or ())
    path.parent.mkdir(parents=True, exist_ok=True)
    text = scenario_text(draft, path.resolve())
    path.write_text(text, encoding="utf-8")
    typer.echo(f"{path} is written{_of(draft)}.")
    if not (root / PROJECT_FILE).exists():
        (root / PROJECT_FILE).write_text(_PROJECT, encoding="utf-8")
        typer.echo(f"{PROJECT_FILE} is written: it marks the project's root, and may have defaults for all scenarios.")
    _tell(draft, text, path)
    with exits():
        load_all([path], VOCABULARY)
    typer.echo(f"\nNext: peeklock run {path}")


def _of(draft: Draft) -> str:
    return " from " + ", ".join(map(draft.near, draft.sources)) + " and the code" if draft.sources else " from the code"


def _tell(draft: Draft, text: str, path: Path) -> None:
    for service in draft.services.values():
        typer.echo(f"  {service.name:<12} {' '.join(service.run)}")
    if draft.passed_over:
        typer.echo("\nNot carried over:")
        for line in draft.passed_over:
            typer.echo(f"  {line}")
    marked = [
        f"{path}:{number}  {line.partition(CHANGE)[2]}"
        for number, line in enumerate(text.splitlines(), 1)
        if CHANGE in line
    ]
    if marked or draft.to_change:
        typer.echo("\nTo look at:")
        for line in (*marked, *draft.to_change):
            typer.echo(f"  {line}")
