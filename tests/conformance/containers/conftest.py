"""A Docker engine for the tests: containers that end with them, and events instead of a look now and then.

Without an engine every test here is skipped by name. Where there must be one, PEEKLOCK_ENGINE=required makes that a failure.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest

docker = pytest.importorskip("docker", reason="the extra `containers` is not installed")

from peeklock.stack.containers.discovery import find_engine  # noqa: E402
from peeklock.stack.containers.images import Kind, reference  # noqa: E402
from peeklock.stack.errors import StackError  # noqa: E402

LABEL = "peeklock.test"
_SECOND = 1_000_000_000  # the engine counts nanoseconds
_PATIENCE = 60.0


@pytest.fixture(scope="session")
def engine() -> Iterator[Any]:
    try:
        found = find_engine()
    except StackError as error:
        if os.environ.get("PEEKLOCK_ENGINE") == "required":
            raise
        pytest.skip(f"no Docker engine answers ({'; '.join(error.checked)[:300]}); `make docker` starts one")
    client = docker.APIClient(found.address, version="auto", timeout=int(_PATIENCE))
    yield client
    client.close()


@pytest.fixture(scope="session")
def image(engine: Any) -> Callable[[Kind], str]:
    """The reference of an image that the engine has."""

    def have(kind: Kind) -> str:
        try:
            engine.inspect_image(reference(kind))
        except docker.errors.ImageNotFound:
            if os.environ.get("PEEKLOCK_ENGINE") == "required":
                raise
            pytest.skip(f"the engine does not have {reference(kind)}; `make images` builds it")
        return reference(kind)

    return have


class Container:
    """A container that has been started."""

    def __init__(self, engine: Any, number: str) -> None:
        self.engine = engine
        self.id = number

    def port(self, inside: int) -> int:
        published = self.facts()["NetworkSettings"]["Ports"][f"{inside}/tcp"]
        assert [each["HostIp"] for each in published] == ["127.0.0.1"]
        return int(published[0]["HostPort"])

    def facts(self) -> dict[str, Any]:
        return self.engine.inspect_container(self.id)

    def logs(self) -> str:
        return self.engine.logs(self.id).decode()

    def until_line(self, text: str) -> None:
        """Return when a line of the log has `text`; fail when the container ends first."""
        said = []
        stream = self.engine.logs(self.id, stream=True, follow=True)
        with _Watched(stream):
            for part in stream:
                said.append(part.decode())
                if text in "".join(said):
                    return
        raise AssertionError(f"{text!r} was not said:\n{''.join(said)}")

    def until_healthy(self) -> None:
        """Return when the engine says so, as soon as it says so."""
        events = self.engine.events(filters={"container": self.id, "event": ["health_status", "die"]}, decode=True)
        with _Watched(events):
            if self.facts()["State"]["Health"]["Status"] == "healthy":
                return
            for event in events:
                if event["status"] == "health_status: healthy":
                    return
                if event["status"] == "die":
                    break
        raise AssertionError(f"not healthy: {self.facts()['State']}\n{self.logs()}")

    def run(self, *command: str) -> tuple[int, str]:
        """Run a command inside; its exit status and what it said."""
        started = self.engine.exec_create(self.id, list(command))
        said = self.engine.exec_start(started["Id"]).decode()
        return self.engine.exec_inspect(started["Id"])["ExitCode"], said

    def ended(self) -> int:
        """Its exit status, when it has ended."""
        return self.engine.wait(self.id, timeout=_PATIENCE)["StatusCode"]


class _Watched:
    """End a stream that is read for too long, so that a test fails rather than hangs."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._timer = threading.Timer(_PATIENCE, stream.close)

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self._stream._response.close()  # docker's own close() leaves the socket to the garbage collector


Start = Callable[..., Container]


@pytest.fixture
def start(engine: Any) -> Iterator[Start]:
    """Start a container of an image; it is removed with its volumes at the end. `network`: none unless ports are published."""
    ids: list[str] = []

    def run(
        name: str, *command: str, env: Mapping[str, str] | None = None, ports: Sequence[int] = (), network: str | None = None,
        alias: str | None = None, **more: Any,
    ) -> Container:  # fmt: skip
        where = network or ("bridge" if ports else "none")
        host = engine.create_host_config(
            network_mode=where, port_bindings=dict.fromkeys(ports, ("127.0.0.1", None)), **more
        )
        aliases = (
            engine.create_networking_config({network: engine.create_endpoint_config(aliases=[alias])})
            if alias
            else None
        )
        made = engine.create_container(
            name, command=list(command) or None, environment=dict(env or {}), ports=list(ports), host_config=host,
            networking_config=aliases, labels={LABEL: str(os.getpid())}, healthcheck={"interval": _SECOND // 5},
        )  # fmt: skip
        ids.append(made["Id"])
        engine.start(made["Id"])
        return Container(engine, made["Id"])

    yield run
    for each in reversed(ids):
        with contextlib.suppress(docker.errors.NotFound):  # the test has removed it
            engine.remove_container(each, force=True, v=True)


@pytest.fixture
def network(engine: Any) -> Iterator[str]:
    """A network of the test's own, without a way out."""
    made = engine.create_network(
        f"peeklock-test-{os.urandom(4).hex()}", labels={LABEL: str(os.getpid())}, internal=False
    )
    yield made["Id"]
    engine.remove_network(made["Id"])
