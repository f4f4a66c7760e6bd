"""`peeklock check` — is every scenario well written?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from peeklock.cli.exits import exits
from peeklock.cli.plan import warnings
from peeklock.engine.plan import load_all
from peeklock.verbs import VOCABULARY

DEFAULT = Path("scenarios")


def check(
    paths: Annotated[list[Path] | None, typer.Argument(help="files or folders; default: scenarios/")] = None,
) -> None:
    """Check scenario files without starting anything."""
    with exits():
        scenarios = load_all(paths or [DEFAULT], VOCABULARY)
    for scenario in scenarios:
        for warning in warnings(scenario):
            typer.echo(warning + "\n", err=True)
    cases = sum(len(scenario.cases) for scenario in scenarios)
    typer.echo(f"{len(scenarios)} files with {cases} cases are well written")
