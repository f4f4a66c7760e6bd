"""Podman, where it is installed and may run: an engine of the tests' own, with storage, networks and socket of its own."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from peeklock.errors import PeeklockError
from peeklock.stack.containers.discovery import find_engine
from peeklock.stack.containers.engine import STACK_LABEL, Engine
from peeklock.stack.containers.images import build as builder
from peeklock.stack.containers.stack import ContainersStack
from tests.conformance.stack.conftest import Driver, Project
from tests.conformance.stack.engine import until_nothing_is_left

UP = """
import sys
from pathlib import Path
from peeklock.stack.containers.stack import ContainersStack
stack = ContainersStack.start(Path(sys.argv[1]), ["servicebus"], room=1)
stack.servers.wait(["servicebus"])
print(stack._state["deployment"]["stack"], flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def socket(cache: Path) -> Iterator[str]:
    """The address of a podman that has the emulator's image. The least limits, so that it runs where root may not raise them."""
    if not shutil.which("podman") or os.geteuid() != 0:
        pytest.skip(
            "podman is not installed" if os.geteuid() == 0 else "only root can have a podman apart from its own"
        )
    folder = Path(tempfile.mkdtemp(prefix="pk-podman-"))
    limits = [
        f"{name}={min(16384, *resource.getrlimit(kind))}"
        for name, kind in (("nofile", resource.RLIMIT_NOFILE), ("nproc", resource.RLIMIT_NPROC))
    ]
    lines = ["[engine]", 'cgroup_manager = "cgroupfs"', 'events_logger = "file"']
    lines += ['runtime = "runc"'] if shutil.which("runc") else []  # crun refuses cgroups of both kinds
    lines += [
        "[containers]",
        f"default_ulimits = {json.dumps([limit + ':' + limit.partition('=')[2] for limit in limits])}",
    ]
    (folder / "containers.conf").write_text("\n".join(lines))
    address = f"unix://{folder}/podman.sock"
    where = [f"--{name}={folder / name}" for name in ("root", "runroot", "tmpdir", "network-config-dir")]
    log = (folder / "log").open("wb")
    service = subprocess.Popen(
        ["podman", *where, "system", "service", "--time=60", address],
        env={**os.environ, "CONTAINERS_CONF": str(folder / "containers.conf")}, stdout=log, stderr=log,
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_HOST", address)
        try:
            _until_it_answers(service, folder / "log")
            try:
                builder.build("servicebus")
            except PeeklockError as error:
                reason = f"podman builds no image on this machine: {error.log[-1] if error.log else error}"
                if os.environ.get("PEEKLOCK_ENGINE") == "required":
                    pytest.fail(reason)
                pytest.skip(reason)
            yield address
        finally:
            service.terminate()
            service.wait(30)
            log.close()
            subprocess.run(["umount", folder / "root" / "overlay"], check=False, capture_output=True)
            shutil.rmtree(folder, ignore_errors=True)


def _until_it_answers(service: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 20
    while True:
        with contextlib.suppress(PeeklockError):
            find_engine()
            return
        assert service.poll() is None, log.read_text()
        assert time.monotonic() < deadline, f"no answer in 20 s: {log.read_text()}"
        select.select([], [], [], 0.05)


@pytest.fixture
def engine(socket: str, monkeypatch: pytest.MonkeyPatch) -> Engine:
    monkeypatch.setenv("DOCKER_HOST", socket)
    return find_engine()


def test_it_is_known_by_its_name(engine: Engine) -> None:
    told = subprocess.run(["podman", "--version"], capture_output=True, text=True, check=True).stdout.split()[-1]
    assert str(engine) == f"podman {told} at {engine.address}"


def test_a_server_is_ended_held_still_and_comes_back(engine: Engine, project: Project) -> None:
    """With its data, on its port; each line of its lives is said once."""
    spec = project.spec(services={}, postgres=False, blobs=False, private=True, lasting=True)
    with ContainersStack.start(project.root, room=1) as stack:
        environment = stack.environment(spec)
        bus = environment.dependencies
        for end in (bus.stop, bus.stop, bus.kill):
            end("servicebus")
            bus.start("servicebus")
        bus.pause("servicebus")
        bus.resume("servicebus")
        environment.reset()
        environment.check()
        environment.close()
        (log,) = stack.log_dir.rglob("servicebus.log")
        said = log.read_text().splitlines()
    assert sum('"event": "servicebus.ready"' in line for line in said) == 4
    dated = [line for line in said if line.startswith('{"timestamp"')]
    assert len(dated) == len(set(dated)), "\n".join(said)
    assert engine.labelled(STACK_LABEL) == []


def test_an_owner_that_is_killed_leaves_nothing(
    engine: Engine, project: Project, driver: Callable[[str], Driver]
) -> None:
    running = driver(UP)
    stack = running.line()
    assert len(engine.labelled(f"{STACK_LABEL}={stack}")) == 2, "a container and a network"
    running.kill()
    until_nothing_is_left(engine, stack)
