"""`peeklock report [RUN]` — the page of a run, made anew from its folder or its archive; the run as one file."""

from __future__ import annotations

import shutil
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from peeklock.cli.exits import exits
from peeklock.reports.html import bundle
from peeklock.reports.html.archive import opened_archive, write_archive
from peeklock.reports.html.page import write_page
from peeklock.reports.html.record import recorded_folder
from peeklock.stack.errors import unwritable
from peeklock.stack.project.root import stack_root


def report(
    run: Annotated[
        str, typer.Argument(help="run-7, 7, the folder of a run, or an archive of one; default: the last one")
    ] = "",
    archive: Annotated[
        Path | None, typer.Option(help="write the run to this file, which `peeklock report FILE` opens elsewhere")
    ] = None,
    open_: Annotated[bool, typer.Option("--open", help="show it in the browser")] = False,
) -> None:
    """Make report.html of a run again, and tell where it is."""
    with exits():
        made = _archived(run, archive) if archive is not None else _page(run)
    typer.echo(made)
    if open_:
        webbrowser.open(made.resolve().as_uri())


def _archived(run: str, target: Path) -> Path:
    folder = recorded_folder(stack_root(), run)
    try:
        write_archive(folder, target)
    except OSError as error:
        raise unwritable(error.filename or target, error) from error
    return target


def _page(run: str) -> Path:
    viewer = bundle.made(lambda text: typer.echo(f"  {text}", err=True))
    try:
        if not Path(run).is_file():
            return write_page(recorded_folder(stack_root(), run), viewer)
        with opened_archive(Path(run)) as folder:
            page = Path(f"{run}.html")
            shutil.move(write_page(folder, viewer), page)
            return page
    except OSError as error:
        raise unwritable(error.filename or run, error) from error
