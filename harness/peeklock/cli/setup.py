"""`peeklock setup` — fetch and build what the embedded backend needs, so that the first run need not."""

from __future__ import annotations

from typing import Annotated

import typer

from peeklock.cli.exits import exits
from peeklock.stack.embedded.setup import prepare
from peeklock.stack.project.cache import cache_dir


def setup(
    cache_folder: Annotated[bool, typer.Option("--cache-folder", help="only print where things are cached")] = False,
) -> None:
    """Prepare Postgres, Node and Azurite; does nothing that is done already."""
    with exits():
        if cache_folder:
            typer.echo(cache_dir())
            return
        for tool, where in prepare(lambda text: typer.echo(f"  {text}")).items():
            typer.echo(f"  {tool:<10} {where}")
