"""`peeklock doctor` — what this machine has and lacks for each backend, and how to get it."""

from __future__ import annotations

import json
from dataclasses import asdict
from itertools import groupby
from typing import Annotated

import typer
from rich.console import Console

from peeklock import __version__
from peeklock.cli.exits import NO_STACK, exits
from peeklock.cli.findings import Finding, findings
from peeklock.stack.choice import BACKENDS
from peeklock.stack.project.root import stack_root

_STYLES = {"ok": "green", "note": "yellow", "lacks": "red"}
_ORDER = ("python", *BACKENDS, "options", "machine")


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="for tools: one JSON object")] = False,
) -> None:
    """Look at this machine: what each backend has and lacks, and the command that gets it. Changes nothing.

    Exit code 0 when scenarios can run here, 3 when no backend can.
    """
    with exits():
        found = sorted(findings(stack_root()), key=lambda each: _ORDER.index(each.group))
    ready = {name: not any(each.state == "lacks" for each in found if each.group == name) for name in BACKENDS}
    sound = any(ready.values()) and not any(each.state == "lacks" for each in found if each.group == "machine")
    if as_json:
        told = {"version": __version__, "ready": ready, "findings": [asdict(each) for each in found]}
        typer.echo(json.dumps(told, indent=2))
    else:
        _print(found, ready)
    if not sound:
        raise typer.Exit(NO_STACK)


def _print(found: list[Finding], ready: dict[str, bool]) -> None:
    console = Console(highlight=False)
    console.print(f"peeklock {__version__}")
    for group, members in groupby(found, key=lambda each: each.group):
        heading = group if group not in ready else f"{group}: {'ready' if ready[group] else 'not ready'}"
        console.print(f"\n{heading}", style="bold")
        for each in members:
            console.print(f"  [{_STYLES[each.state]}]{each.state:<6}[/]", end="")
            console.print(f"{each.name:<16} {each.text}", markup=False, soft_wrap=True)
            if each.fix:
                console.print(f"          how to fix: {each.fix}", markup=False, soft_wrap=True)
