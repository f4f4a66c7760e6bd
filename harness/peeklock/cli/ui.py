"""`peeklock ui` — a page in the browser: queues, topics and dead letters as they are now, until Ctrl-C."""

from __future__ import annotations

import signal
import threading
import webbrowser
from typing import Annotated

import typer

from peeklock.cli.exits import exits
from peeklock.cli.namespace import ConnectionString, connection_string_of
from peeklock.reports.html import bundle
from peeklock.stack.project.root import stack_root
from peeklock.standins.server import StandInServer
from peeklock.ui.access import Access
from peeklock.ui.namespace import Namespace
from peeklock.ui.server import LivePage
from peeklock.ui.warm_stack import WarmStack


def ui(
    connection_string: ConnectionString = "",
    port: Annotated[int, typer.Option(min=0, max=65535, help="where the page is; 0: any")] = 0,
    open_: Annotated[bool, typer.Option("--open", help="show it in the browser")] = False,
) -> None:
    """Look into queues, topics and dead letters while things happen; send, resubmit and purge. Beside `peeklock up` also at
    what is up and what it logs."""
    with exits():
        namespace = Namespace(connection_string or connection_string_of(None))
        namespace.entities()
        access = Access()
        stack = None if connection_string else WarmStack(stack_root())
        page = LivePage(namespace, bundle.made(lambda text: typer.echo(f"  {text}", err=True)), access, stack)
        server = StandInServer(page, port, "the live page")
    page.port = server.port
    link = f"http://127.0.0.1:{server.port}/?token={access.token}"
    typer.echo(f"{namespace.address}: {link} (Ctrl-C ends it)")
    if open_:
        webbrowser.open(link)
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    ended.wait()
    server.close()
    namespace.close()
