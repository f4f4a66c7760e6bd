"""Projects, specs and small services for the tests of stacks; and the means to see what is left behind."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from peeklock.scenario.services import Service
from peeklock.scenario.topology import Blobs, Postgres, ServiceBus, Stack
from peeklock.stack.backend import Endpoints, EnvironmentSpec, Ports
from peeklock.stack.containers.deployment import Deployment
from peeklock.stack.containers.engine import STACK_LABEL
from peeklock.stack.containers.stack import ContainersStack
from peeklock.stack.embedded import tools
from peeklock.stack.embedded.stack import EmbeddedStack
from peeklock.stack.local import LocalStack
from peeklock.stack.project.cache import cache_dir
from peeklock.supervision import process_tree
from tests.conformance.stack.engine import engine_or_skip

REPOSITORY = Path(__file__).resolve().parents[3]
SERVICE = """
import http.server, json, os, signal, subprocess, sys
if "--grandchild" in sys.argv:
    subprocess.Popen([sys.executable, "-c", "import os, time; os.setsid(); time.sleep(600)"])
print(json.dumps({"event": "api.ready", "url": os.environ.get("DATABASE_URL", "")}), flush=True)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(dict(os.environ)).encode())
    def log_message(self, *parts):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


class Project:
    """A folder with migrations and a service, and specs that use them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "migrations").mkdir(parents=True)
        (root / "migrations" / "1.sql").write_text(
            "create table things (id int primary key); insert into things values (7);"
        )
        (root / "api.py").write_text(SERVICE)

    def spec(
        self, *, name: str = "demo", postgres: bool = True, blobs: bool = True, servicebus: bool = True,
        services: Mapping[str, Service] | None = None, env: Mapping[str, Mapping[str, str]] | None = None, key: str = "",
        **more: Any,
    ) -> EnvironmentSpec:  # fmt: skip
        chosen = {"api": self.service()} if services is None else services

        def variables(_endpoints: Endpoints, _ports: Ports) -> Mapping[str, Mapping[str, str]]:
            return env or {}

        def command(service: str, _endpoints: Endpoints, _ports: Ports) -> Sequence[str]:
            return chosen[service].run

        return EnvironmentSpec(
            name=name,
            stack=Stack(
                postgres=Postgres.model_validate({"migrations": str(self.root / "migrations")}) if postgres else None,
                blobs=Blobs(containers=["images"]) if blobs else None,
                servicebus=ServiceBus.model_validate(
                    {"queues": {"jobs": {}}, "access_rules": {"send": {"rights": ["Send"]}}}
                )
                if servicebus
                else None,
            ),
            services=chosen,
            root=self.root,
            variables=variables,
            command=command,
            key=key,
            **more,
        )

    def service(self, *arguments: str, **changes: Any) -> Service:
        return Service.model_validate(
            {"run": ["python", str(self.root / "api.py"), *arguments], "ready": {"http": "/"}, **changes}
        )


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "project")


@pytest.fixture(scope="session")
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of these tests' own, so that their templates do not push out those of real projects; the bundle is shared."""
    real, path = cache_dir(), tmp_path_factory.mktemp("cache")
    tools.azurite()
    for name in ("azurite", "node-compile-cache", "models"):
        (real / name).mkdir(exist_ok=True)
        (path / name).symlink_to(real / name)
    return path


@pytest.fixture(scope="module", autouse=True)
def cache(cache_folder: Path) -> Iterator[Path]:
    """Have it used for as long as these tests run: others come after them in the same process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PEEKLOCK_CACHE", str(cache_folder))
        yield cache_folder


@pytest.fixture(params=["embedded", "containers"])
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[LocalStack]]:
    """The same claims hold on every backend that runs on this machine; on containers nothing is left at the engine either."""
    monkeypatch.setenv("PEEKLOCK_BACKEND", request.param)
    if request.param == "embedded":
        yield EmbeddedStack
        return
    engine = engine_or_skip()
    started: list[str] = []
    plan = Deployment.plan

    def recorded(*arguments: Any) -> dict[str, Any]:
        state = plan(*arguments)
        started.append(state["stack"])
        return state

    monkeypatch.setattr(Deployment, "plan", staticmethod(recorded))
    yield ContainersStack
    assert [engine.labelled(f"{STACK_LABEL}={stack}") for stack in started] == [[]] * len(started)


@pytest.fixture
def data(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of the test's own for the data of stacks, on the same medium that they would choose."""
    memory = Path("/dev/shm")
    path = Path(tempfile.mkdtemp(prefix="pk-", dir=memory if memory.is_dir() else None))
    monkeypatch.setenv("PEEKLOCK_DATA", str(path))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def nothing_left(data: Path) -> Iterator[Callable[[], None]]:
    """A check that no process and no directory is left; orphans come to this process, so none can hide. Also made at the end."""
    if not process_tree.LINUX:
        pytest.skip("orphans can only be seen where the kernel hands them over (PR_SET_CHILD_SUBREAPER)")
    process_tree.prctl(process_tree.PR_SET_CHILD_SUBREAPER, 1)
    before = set(process_tree.descendants(os.getpid()))

    def check() -> None:
        deadline = time.monotonic() + 20
        while True:
            left = set(process_tree.descendants(os.getpid())) - before
            if not left and not list(data.iterdir()):
                break
            if time.monotonic() > deadline:
                names = [Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ") for pid in left if alive(pid)]
                raise AssertionError(f"left behind after 20 s: {names} {list(data.iterdir())}")
            select.select([], [], [], 0.02)
        for pid in {process.pid for process in process_tree.processes() if process.parent == os.getpid()} - before:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)

    yield check
    check()
    process_tree.prctl(process_tree.PR_SET_CHILD_SUBREAPER, 0)


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


class Driver:
    """Another process that uses the stack, so that it can be killed."""

    def __init__(self, code: str, project: Project) -> None:
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                code,
                str(project.root),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONWARNINGS": "ignore"},
        )

    def line(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline().strip()
        if not line:
            self.process.kill()
            raise AssertionError(self.process.communicate()[1])
        return line

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.close()

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


@pytest.fixture
def driver(project: Project) -> Iterator[Callable[[str], Driver]]:
    started: list[Driver] = []

    def start(code: str) -> Driver:
        started.append(Driver(code, project))
        return started[-1]

    yield start
    for each in started:
        each.close()
