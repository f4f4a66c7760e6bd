"""`peeklock init` — a first scenario for your own API and worker."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from peeklock.cli.exits import INVALID


def init(
    path: Annotated[Path, typer.Argument(help="the file to write")] = Path("scenarios/first.yaml"),
) -> None:
    """Write a scenario to start from, with a comment at each line that you will want to change."""
    if path.exists():
        typer.echo(f"{path} is there already; name another file", err=True)
        raise typer.Exit(INVALID)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(files("peeklock.cli").joinpath("first.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    typer.echo(
        f"{path} is written: change the lines with a comment, then `peeklock check {path}` and `peeklock run {path}`"
    )
