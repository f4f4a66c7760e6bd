"""Removing what a stack has left, while others may be at it too."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from peeklock.stack.containers.engine import Engine, EngineError

THINGS = {
    "/_ping": "OK",
    "/containers/json": [{"Id": "a", "Labels": {"x": "1"}}, {"Id": "b", "Labels": {"x": "1"}}],
    "/networks": [{"Id": "n", "Labels": {"x": "1"}}],
    "/volumes": {"Volumes": None},
}


class _Engine(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.removed: list[str] = []
        self.refusals: dict[str, int] = {}
        self.patience: dict[str, int] = {}
        """How often each of them is refused; absent: always."""
        self.says = ""
        """Who it is."""


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Engine

    def version_string(self) -> str:
        return self.server.says

    def _answer(self, status: int, body: object) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        self._answer(200, THINGS[urlsplit(self.path).path])

    def do_DELETE(self) -> None:
        path = urlsplit(self.path).path
        self.server.removed.append(path)
        refused = self.server.refusals.get(path, 200)
        if self.server.removed.count(path) > self.server.patience.get(path, 99):
            refused = 200
        self._answer(refused, {"message": "no"})

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def server() -> Iterator[_Engine]:
    with _Engine() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def engine(server: _Engine) -> Engine:
    return Engine(f"tcp://127.0.0.1:{server.server_port}")


def test_containers_go_before_their_network(engine: Engine, server: _Engine) -> None:
    assert engine.remove("x=1") == 3
    assert sorted(server.removed[:2]) == ["/containers/a", "/containers/b"]
    assert server.removed[2:] == ["/networks/n"]


@pytest.mark.parametrize("status", [403, 404, 409])
def test_what_somebody_else_removes_in_this_moment_is_well(engine: Engine, server: _Engine, status: int) -> None:
    server.refusals = {"/containers/a": status, "/networks/n": status}
    engine.remove("x=1")
    assert len(server.removed) == 3


def test_a_refusal_is_told_after_everything_has_been_asked_for(engine: Engine, server: _Engine) -> None:
    server.refusals = {"/containers/a": 500}
    with pytest.raises(EngineError, match="no"):
        engine.remove("x=1")
    assert {"/containers/a", "/containers/b"} <= set(server.removed)


def test_a_container_that_podman_will_not_remove_while_it_ends_is_removed(engine: Engine, server: _Engine) -> None:
    server.refusals, server.patience = {"/containers/a": 500}, {"/containers/a": 1}
    assert engine.remove("x=1") == 3
    assert server.removed.count("/containers/a") == 2


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("Libpod/4.3.1 (linux)", "podman 4.3.1"),
        ("Docker/20.10.24+dfsg1 (linux)", "Docker 20.10.24+dfsg1"),
        ("", "an engine"),
    ],
)
def test_an_engine_tells_its_name_and_version(engine: Engine, server: _Engine, header: str, name: str) -> None:
    server.says = header
    engine.ping()
    assert str(engine) == f"{name} at {engine.address}"


def test_an_engine_that_is_not_there_is_an_error_with_status_0() -> None:
    with pytest.raises(EngineError) as caught:
        Engine("unix:///nowhere/engine.sock").ping()
    assert caught.value.status == 0
