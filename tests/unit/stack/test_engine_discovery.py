"""Which container engine is used, and what is told when none is."""

from __future__ import annotations

import hashlib
import http.server
import json
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from peeklock.stack.containers.discovery import find_engine
from peeklock.stack.errors import StackError


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


class _Ping(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"OK")

    def log_message(self, *_: object) -> None: ...

    def address_string(self) -> str:
        return "engine"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of the test's own, as far as engines are concerned: sockets at fixed places are not looked at."""
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    (tmp_path / "run").mkdir()
    exists = Path.exists
    monkeypatch.setattr(Path, "exists", lambda path: path.is_relative_to(tmp_path) and exists(path))
    return tmp_path


@pytest.fixture
def engines() -> Iterator[list[_Server]]:
    started: list[_Server] = []
    yield started
    for server in started:
        server.shutdown()
        server.server_close()


def listen(path: Path, engines: list[_Server]) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    server = _Server(str(path), _Ping)
    engines.append(server)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    return f"unix://{path}"


def test_rootless_docker_and_podman_are_found(home: Path, engines: list[_Server]) -> None:
    podman = listen(home / "run" / "podman" / "podman.sock", engines)
    assert find_engine().address == podman
    rootless = listen(home / "run" / "docker.sock", engines)
    assert find_engine().address == rootless


def test_the_environment_variable_comes_first_and_is_all_that_is_tried(
    home: Path, engines: list[_Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    listen(home / "run" / "docker.sock", engines)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{home}/nowhere.sock")
    with pytest.raises(StackError, match="no container engine answers") as caught:
        find_engine()
    assert caught.value.checked == (f"DOCKER_HOST: unix://{home}/nowhere.sock: there is no such socket",)
    assert "make docker" in str(caught.value)


def test_the_context_that_docker_uses_is_used(home: Path, engines: list[_Server]) -> None:
    listen(home / "run" / "docker.sock", engines)
    chosen = listen(home / "elsewhere.sock", engines)
    meta = home / ".docker" / "contexts" / "meta" / hashlib.sha256(b"mine").hexdigest()
    meta.mkdir(parents=True)
    (meta / "meta.json").write_text(json.dumps({"Name": "mine", "Endpoints": {"docker": {"Host": chosen}}}))
    (home / ".docker" / "config.json").write_text(json.dumps({"currentContext": "mine"}))
    assert find_engine().address == chosen


def test_a_folder_that_is_somebody_elses_is_told_and_passed_over(
    home: Path, engines: list[_Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after `su`, which leaves XDG_RUNTIME_DIR as it was."""
    exists = Path.exists

    def closed(path: Path) -> bool:
        if path.is_relative_to(home / "run"):
            raise PermissionError(13, "Permission denied")
        return exists(path)

    monkeypatch.setattr(Path, "exists", closed)
    with pytest.raises(StackError) as caught:
        find_engine()
    assert any("rootless Docker" in told and "Permission denied" in told for told in caught.value.checked)
    desktop = listen(home / ".docker" / "run" / "docker.sock", engines)
    assert find_engine().address == desktop


def test_an_engine_of_another_machine_is_refused_with_the_reason(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://build.example:2375")
    with pytest.raises(StackError) as caught:
        find_engine()
    assert "not on this machine" in str(caught.value)


def test_every_place_that_was_looked_at_is_told(home: Path) -> None:
    with pytest.raises(StackError) as caught:
        find_engine()
    told = str(caught.value)
    assert all(word in told for word in ("/var/run/docker.sock", "rootless Docker", "podman", "Docker Desktop"))
