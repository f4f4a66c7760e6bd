"""`peeklock ui` — a page in the browser: what is in queues, blobs and tables now, until Ctrl-C."""

from __future__ import annotations

import signal
import threading
import webbrowser
from typing import Annotated

import typer

from peeklock.cli.check import DEFAULT
from peeklock.cli.exits import exits
from peeklock.cli.namespace import ConnectionString
from peeklock.reports.html import bundle
from peeklock.stack.project.root import stack_root
from peeklock.standins.server import StandInServer
from peeklock.ui.access import Access
from peeklock.ui.by_hand import ByHand
from peeklock.ui.chosen import Chosen
from peeklock.ui.server import LivePage
from peeklock.ui.views import every_view


def ui(
    environment: Annotated[
        str, typer.Argument(help="the scenario file's name without .yaml; default: the first that stands")
    ] = "",
    connection_string: ConnectionString = "",
    port: Annotated[int, typer.Option(min=0, max=65535, help="where the page is; 0: any")] = 0,
    open_: Annotated[bool, typer.Option("--open", help="show it in the browser")] = False,
) -> None:
    """Look into queues, topics and dead letters while things happen; send, resubmit and purge. Beside `peeklock up` also at
    blobs, tables, what is up and what it logs."""
    with exits():
        if connection_string:
            chosen = Chosen(None, connection_string=connection_string)
            place = chosen.namespace().address
            chosen.namespace().entities()
        else:
            chosen = Chosen(stack_root(), DEFAULT.resolve(), name=environment)
            place = chosen.name or "no environment stands yet"
        access, by_hand = Access(), ByHand()
        views = every_view(chosen, by_hand)
        page = LivePage(chosen, by_hand, views, bundle.made(lambda text: typer.echo(f"  {text}", err=True)), access)
        server = StandInServer(page, port, "the live page")
    page.port = server.port
    link = f"http://127.0.0.1:{server.port}/?token={access.token}"
    typer.echo(f"{place}: {link} (Ctrl-C ends it)")
    if open_:
        webbrowser.open(link)
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    ended.wait()
    server.close()
    chosen.close()
