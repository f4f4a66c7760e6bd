"""The connections of steps: kept for the next step, and let go of before their servers do it."""

from __future__ import annotations

import http.server
import threading
from pathlib import Path
from typing import Any

from peeklock.engine.clients import Clients
from tests.unit.engine.fake import FakeEnvironment


def test_an_idle_http_connection_is_not_used_again_after_a_second() -> None:
    """A server that closes it in the moment of the next request would leave that without an answer."""
    seen: list[int] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            seen.append(self.client_address[1])
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        environment: Any = FakeEnvironment()
        clients = Clients(environment, Path())
        url = f"http://127.0.0.1:{server.server_address[1]}/"
        clients.loop.run(clients.http.get(url), 5)
        clients.loop.run(clients.http.get(url), 5)
        threading.Event().wait(1.2)
        clients.loop.run(clients.http.get(url), 5)
        clients.close()
        server.shutdown()
    assert len(set(seen)) == 2
