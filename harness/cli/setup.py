"""`peeklock setup` — fetch and build what the embedded backend needs, so that the first run need not."""

from __future__ import annotations

import typer

from harness.cli.exits import exits
from harness.stack.embedded.tools import prepare


def setup() -> None:
    """Prepare Postgres, Node and Azurite; does nothing that is done already."""
    with exits():
        for tool, where in prepare(lambda text: typer.echo(f"  {text}")).items():
            typer.echo(f"  {tool:<10} {where}")
