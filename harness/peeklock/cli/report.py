"""`peeklock report [RUN]` — the page of a run, made anew from its folder."""

from __future__ import annotations

import webbrowser
from typing import Annotated

import typer

from peeklock.cli.exits import exits
from peeklock.reports.html import bundle
from peeklock.reports.html.page import write_page
from peeklock.reports.html.record import recorded_folder
from peeklock.stack.errors import unwritable
from peeklock.stack.project.root import stack_root


def report(
    run: Annotated[str, typer.Argument(help="run-7, 7, or the folder of a run; default: the last one")] = "",
    open_: Annotated[bool, typer.Option("--open", help="show it in the browser")] = False,
) -> None:
    """Make report.html of a run again, and tell where it is."""
    with exits():
        folder = recorded_folder(stack_root(), run)
        viewer = bundle.made(lambda text: typer.echo(f"  {text}", err=True))
        try:
            page = write_page(folder, viewer)
        except OSError as error:
            raise unwritable(error.filename or folder, error) from error
    typer.echo(page)
    if open_:
        webbrowser.open(page.resolve().as_uri())
