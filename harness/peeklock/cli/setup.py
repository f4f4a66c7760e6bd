"""`peeklock setup` — fetch and build what the embedded backend needs, so that the first run need not."""

from __future__ import annotations

from typing import Annotated

import typer

from peeklock.cli.exits import exits
from peeklock.reports.html import bundle
from peeklock.stack.embedded.setup import prepare
from peeklock.stack.project.cache import cache_dir


def setup(
    cache_folder: Annotated[bool, typer.Option("--cache-folder", help="only print where things are cached")] = False,
) -> None:
    """Prepare Postgres, Node, Azurite and the viewer of reports; does nothing that is done already."""
    with exits():
        if cache_folder:
            typer.echo(cache_dir())
            return
        tools = {**prepare(_tell), "viewer": str(bundle.made(_tell).script)}
        for tool, where in tools.items():
            typer.echo(f"  {tool:<10} {where}")


def _tell(text: str) -> None:
    typer.echo(f"  {text}")
