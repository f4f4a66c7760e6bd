"""`peeklock show CASE` — what is kept of one case of a run: its failure, its cause, what happened."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.console import Console

from peeklock.cli.exits import exits
from peeklock.reports.failure_text import render_failure, render_timeline
from peeklock.reports.html.record import recorded_folder
from peeklock.reports.stored_case import StoredCase, find_case
from peeklock.stack.project.root import stack_root


def show(
    case: Annotated[str, typer.Argument(help="its name, file::case, or a part that no other case has")],
    run: Annotated[str, typer.Option(help="run-7, 7, or the folder of a run; default: the last one")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="for tools: all that is kept, as one JSON object")] = False,
) -> None:
    """Show one case of a run that has been, also of one that was killed: failure, cause and timeline."""
    with exits():
        found = find_case(recorded_folder(stack_root(), run), case)
    if as_json:
        typer.echo(json.dumps(found.as_json()))
        return
    console = Console(highlight=False)
    for line in _lines(found, max(80, console.width)):
        console.print(line, markup=False, soft_wrap=True)


def _lines(found: StoredCase, width: int) -> list[str]:
    finished = found.finished
    if finished.failure is not None:
        return list(render_failure(finished, width))
    lines = [f"{finished.outcome.upper()} {found.id}  ({finished.durations.total:.1f} s, {found.run})"]
    lines += finished.reason.splitlines() + finished.traceback.splitlines()
    if rows := found.timeline():
        lines += ["", *render_timeline(rows, found.story["started"], width)]
    return lines
