"""`peeklock report [RUN]` — the page of a run, made anew from its folder."""

from __future__ import annotations

import re
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from peeklock.cli.exits import exits
from peeklock.errors import PeeklockError
from peeklock.reports.html import bundle
from peeklock.reports.html.page import write_page
from peeklock.reports.html.record import NAME as RECORD
from peeklock.stack.errors import unwritable
from peeklock.stack.project.root import stack_root


def report(
    run: Annotated[str, typer.Argument(help="run-7, 7, or the folder of a run; default: the last one")] = "",
    open_: Annotated[bool, typer.Option("--open", help="show it in the browser")] = False,
) -> None:
    """Make report.html of a run again, and tell where it is."""
    with exits():
        folder = _folder(run)
        viewer = bundle.made(lambda text: typer.echo(f"  {text}", err=True))
        try:
            page = write_page(folder, viewer)
        except OSError as error:
            raise unwritable(error.filename or folder, error) from error
    typer.echo(page)
    if open_:
        webbrowser.open(page.resolve().as_uri())


def _folder(run: str) -> Path:
    base = stack_root(Path.cwd()) / ".peeklock"
    kept = {int(found[1]): path for path in base.glob("run-*") if (found := re.fullmatch(r"run-(\d+)", path.name))}
    recorded = {number: path for number, path in kept.items() if (path / RECORD).exists()}
    if not run:
        if recorded:
            return recorded[max(recorded)]
        raise PeeklockError(
            "there is no run to make a report of", checked=[f"{base}/run-*"], fix="`peeklock run` first"
        )
    number = run.removeprefix("run-")
    folder = base / f"run-{number}" if number.isdigit() else Path(run)
    if not (folder / RECORD).exists():
        known = ", ".join(path.name for _, path in sorted(recorded.items())[-5:])
        raise PeeklockError(
            f"there is no record of the run {run}",
            expected=f"the folder of a run{f', as {known}' if known else ''}",
            actual="no such folder" if not folder.exists() else f"no {RECORD} in it",
            checked=[str(folder)],
            fix="name one of those, or `peeklock run` anew",
        )
    return folder
