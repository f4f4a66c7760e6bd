"""`peeklock schema` — the JSON Schema for editors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from peeklock.scenario.schema import scenario_schema
from peeklock.verbs import VOCABULARY


def schema(
    output: Annotated[Path | None, typer.Option("--output", "-o", help="a file instead of the terminal")] = None,
) -> None:
    """Print the JSON Schema of scenario files."""
    text = json.dumps(scenario_schema(VOCABULARY), indent=2, ensure_ascii=False)
    if output is None:
        typer.echo(text)
        return
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(text + "\n", encoding="utf-8")
