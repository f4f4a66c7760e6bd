"""`peeklock mcp` — the project as tools of an assistant, by the Model Context Protocol over standard input and output."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from peeklock.cli.exits import exits
from peeklock.errors import PeeklockError


def mcp(
    project: Annotated[
        Path | None,
        typer.Option(help="the folder in which it works; default: this one", exists=True, file_okay=False),
    ] = None,
) -> None:
    """Serve an assistant over standard input and output: list, check and run scenarios, show cases, peek queues."""
    if project is not None:
        os.chdir(project)
    with exits():
        try:
            from peeklock.cli.assistant import server  # an extra, and 600 ms
        except ImportError as missing:
            if (missing.name or "").split(".")[0] not in ("mcp", "mcp_types"):
                raise
            raise PeeklockError(
                "`peeklock mcp` needs the Python SDK of the Model Context Protocol, which is not installed",
                fix="pip install 'peeklock[mcp]'",
            ) from None
    server().run("stdio")
