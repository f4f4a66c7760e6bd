"""What goes wrong at the engine is told by name, with the containers' own words; on the command line with exit code 3."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from peeklock.errors import PeeklockError
from peeklock.stack.containers import stack as module
from peeklock.stack.containers.engine import STACK_LABEL, Engine
from peeklock.stack.containers.stack import ContainersStack
from tests.conformance.stack.conftest import REPOSITORY, Project
from tests.conformance.stack.engine import Cable, engine_or_skip

PEEKLOCK = Path(sys.executable).with_name("peeklock")


@pytest.fixture
def engine() -> Engine:
    return engine_or_skip()


@pytest.fixture
def cable(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cable]:
    cable = Cable(engine, tmp_path / "e.sock")
    monkeypatch.setenv("DOCKER_HOST", cable.address)
    yield cable
    cable.pull()


def test_an_engine_that_ends_under_a_stack(engine: Engine, cable: Cable, project: Project) -> None:
    with ContainersStack.start(project.root, room=1) as stack:
        environment = stack.environment(project.spec(services={}, postgres=False))
        environment.check()
        woken = stack.children.all("azurite")[0]["name"]
        cable.pull()
        stack._supervisor.call("wait", name=woken)
        stack._supervisor.call("wait", name="servicebus")
        with pytest.raises(
            PeeklockError, match="the container engine is no longer there, and Azurite with it"
        ) as caught:
            environment.check()
        name = stack._state["deployment"]["stack"]
    told = str(caught.value)
    assert "does not answer any more" in told
    assert "successfully listens" in told, "its own last words"
    assert "peeklock down --all" in told
    left = f"{STACK_LABEL}={name}"
    engine.remove(left)  # nobody could through an engine that was gone; a stack that another test starts may sweep, too
    assert not engine.labelled(left)


def test_an_image_that_is_not_there(engine: Engine, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = {**module.wanted_images(), "azurite": "peeklock/azurite:of-another-time"}
    monkeypatch.setattr(module, "wanted_images", lambda: wanted)
    with (
        ContainersStack.start(project.root, room=1) as stack,
        pytest.raises(PeeklockError, match="has no image peeklock/azurite:of-another-time") as caught,
    ):
        stack.servers.wait(["blobs"])
    assert "make images" in str(caught.value)


@pytest.mark.parametrize("request_", [b"/containers/create", b"/start"])
def test_a_disk_that_is_full(engine: Engine, cable: Cable, project: Project, request_: bytes) -> None:
    cable.refusals[request_] = b"write /var/lib/engine/x: no space left on device"
    with (
        ContainersStack.start(project.root, room=1) as stack,
        pytest.raises(PeeklockError, match="no space left while starting Azurite at the container engine"),
    ):
        stack.servers.wait(["blobs"])


def test_a_container_that_ends_before_it_is_ready_shows_its_log(engine: Engine, project: Project) -> None:
    """The wrong program, so that it does not know its arguments."""
    with ContainersStack.start(project.root, room=1, lasting=True) as stack:
        stack._state["images"]["postgres"] = stack._state["images"]["servicebus"]
        with pytest.raises(PeeklockError, match="Postgres ended before it was ready: exit status 2") as caught:
            stack.servers.wait(["postgres"])
    assert "unrecognized arguments: -c synchronous_commit=on" in str(caught.value)


@pytest.mark.parametrize(
    ("host", "what"),
    [
        ("unix:///nowhere/engine.sock", "no container engine answers"),
        ("tcp://build.example:2375", "not on this machine"),
    ],
)
def test_the_command_ends_with_3_and_says_why(tmp_path: Path, host: str, what: str) -> None:
    shutil.copytree(REPOSITORY / "tests" / "acceptance" / "toy", tmp_path / "toy")
    done = subprocess.run(
        [PEEKLOCK, "run", "scenarios", "--backend", "containers"],
        cwd=tmp_path / "toy", env={**os.environ, "DOCKER_HOST": host}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 3, done.stdout + done.stderr
    assert what in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
