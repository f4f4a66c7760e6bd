"""Services that are containers: told the same addresses, reached in the same way, ended and broken like processes."""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from peeklock.errors import PeeklockError
from peeklock.scenario.services import Service
from peeklock.stack.backend import Environment
from peeklock.stack.containers.engine import STACK_LABEL, Engine
from peeklock.stack.containers.stack import ContainersStack
from peeklock.stack.faults import KINDS
from tests.conformance.stack.conftest import SERVICE, Project
from tests.conformance.stack.engine import engine_or_skip

IMAGE = "peeklock/services"
ASKING = """
import http.server, json, os, urllib.request
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        found = {}
        if self.path != "/":
            import psycopg
            with psycopg.connect(os.environ["DATABASE_URL"], connect_timeout=5) as connection:
                found["rows"] = connection.execute("select id from things").fetchall()
            found["neighbour"] = urllib.request.urlopen(os.environ["NEIGHBOUR"]).status
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(found).encode())
    def log_message(self, *parts):
        pass
print(json.dumps({"event": "api.ready", "url": os.environ["DATABASE_URL"]}), flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


@pytest.fixture
def engine() -> Engine:
    return engine_or_skip(IMAGE)


@pytest.fixture
def stack(engine: Engine, project: Project, nothing_left: Callable[[], None]) -> Iterator[ContainersStack]:
    with ContainersStack.start(project.root, room=1) as stack:
        yield stack
    assert engine.labelled(f"{STACK_LABEL}={stack._state['deployment']['stack']}") == []


def service(code: str, **changes: Any) -> Service:
    return Service.model_validate({"image": IMAGE, "run": ["python", "-c", code], "ready": {"http": "/"}, **changes})


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.loads(answer.read())


def test_a_container_and_a_process_see_the_same_addresses_and_each_other(
    stack: ContainersStack, project: Project
) -> None:
    """The container reaches Postgres and its neighbour by the addresses of this machine, and is reached by its own."""
    services = {"near": project.service(), "api": service(ASKING, depends_on=["near"])}
    spec = project.spec(services=services, blobs=False)
    told: dict[str, str] = {}

    def variables(_endpoints: Any, ports: Any) -> Any:
        told["NEIGHBOUR"] = f"http://127.0.0.1:{ports['near'][0]}/"
        return {"api": {"NEIGHBOUR": told["NEIGHBOUR"]}}

    object.__setattr__(spec, "variables", variables)
    environment = stack.environment(spec)
    assert get(environment.services.url("api") + "/ask") == {"rows": [[7]], "neighbour": 200}
    assert get(environment.services.url("near"))["DATABASE_URL"] == environment.endpoints.postgres_url
    password = (environment.endpoints.postgres_url or "").split(":")[2].split("@")[0]
    logs = [path.read_text() for path in stack.log_dir.rglob("*.log")]
    assert any("api.ready" in text for text in logs)
    assert not any(password in text for text in logs)


def test_what_a_container_uses_is_told_like_that_of_a_process(stack: ContainersStack, project: Project) -> None:
    """By the kernel that both run on."""
    services = {"near": project.service(), "api": service(ASKING)}
    environment = stack.environment(project.spec(services=services, blobs=False))
    for name in services:
        for _ in range(5_000):  # the kernel counts in ticks of 10 ms, and a start by forking takes less than one
            (usage,) = environment.services.usage(name, anew=True)
            if usage.cpu > 0:
                break
            get(environment.services.url(name))
        assert usage.cpu > 0
        assert usage.peak > 1 << 20


def test_it_has_nothing_of_the_callers_environment(
    stack: ContainersStack, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_PRODUCTION_KEY", "secret")
    environment = stack.environment(project.spec(services={"api": service(SERVICE)}, env={"api": {"GIVEN": "yes"}}))
    env = get(environment.services.url("api"))
    assert env["GIVEN"] == "yes"
    assert env["DATABASE_URL"] == environment.endpoints.postgres_url
    assert "SharedAccessKeyName=service-api" in env["AZURE_SERVICEBUS_CONNECTION_STRING"]
    assert "MY_PRODUCTION_KEY" not in env


def until_line(environment: Environment, text: str) -> None:
    """Return when a service has said it: what a container says takes a moment to arrive."""
    woken, deadline = threading.Event(), time.monotonic() + 20
    end = environment.on_change(woken.set)
    while not any(text in line.text for line in environment.services.logs()[0]):
        assert time.monotonic() < deadline, f"{text!r} was not said"
        woken.wait(1)
        woken.clear()
    end()


def alive(environment: Environment) -> bool:
    return bool(get(environment.services.url("api")))


def test_it_is_stopped_killed_paused_and_comes_back_with_the_reset(stack: ContainersStack, project: Project) -> None:
    services = {"api": service(SERVICE, replicas=2, stop_grace="2s")}
    environment = stack.environment(project.spec(services=services, postgres=False, blobs=False, servicebus=False))
    found = environment.services
    assert found.running("api") == 2
    found.kill("api")
    ends, cursor = found.exits()
    assert [(end.code, end.expected) for end in ends] == [(-9, True)] * 2
    assert found.running("api") == 0
    found.start("api")
    assert alive(environment)
    found.stop("api")
    assert [end.expected for end in found.exits(cursor)[0]] == [True] * 2
    environment.reset()
    assert found.running("api") == 2
    found.pause("api")
    environment.reset()
    assert alive(environment)
    lines, _ = found.logs()
    assert [line.record["event"] for line in lines if line.record] == ["api.ready"] * 6


def test_one_that_ends_by_itself_is_not_expected_to(stack: ContainersStack, project: Project) -> None:
    code = "import sys; print('no such queue'); sys.exit(3)"
    with pytest.raises(PeeklockError, match="service api ended before it was ready: exit status 3") as caught:
        stack.environment(project.spec(services={"api": service(code)}, blobs=False, servicebus=False))
    assert "| no such queue" in str(caught.value)


def test_an_image_that_nobody_has_is_named(stack: ContainersStack, project: Project) -> None:
    missing = service(SERVICE, image="peeklock.example/no-such-image:1")
    with pytest.raises(PeeklockError, match="refused to start service api"):
        stack.environment(project.spec(services={"api": missing}, blobs=False, servicebus=False))
    ours = service(SERVICE, image="peeklock/servises")
    with pytest.raises(PeeklockError, match="there is no image peeklock/servises") as caught:
        stack.environment(project.spec(services={"api": ours}, blobs=False, servicebus=False))
    assert "peeklock/services" in str(caught.value)


def test_faults_strike_it_as_they_strike_a_process(stack: ContainersStack, project: Project) -> None:
    services = {"api": service(ASKING)}
    spec = project.spec(services=services, blobs=False, servicebus=False, relayed=True, env={"api": {"NEIGHBOUR": ""}})
    environment = stack.environment(spec)
    environment.faults.begin("postgres", KINDS["down"].model_validate({}))
    with psycopg.connect(environment.endpoints.postgres_url or "") as connection:
        assert connection.execute("select 1").fetchone() == (1,)
    with pytest.raises(OSError, match=r"closed|reset|without response"):
        get(environment.services.url("api") + "/ask")
    until_line(environment, "psycopg.OperationalError")
