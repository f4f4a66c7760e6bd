"""However a stack of containers ends, nothing of it is left at the engine: no container, no network, no volume."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from peeklock.errors import PeeklockError
from peeklock.stack.containers import ownership
from peeklock.stack.containers.engine import STACK_LABEL, Engine
from peeklock.stack.containers.stack import ContainersStack
from peeklock.stack.warm import lifecycle as warm
from tests.conformance.stack.conftest import Driver, Project
from tests.conformance.stack.engine import engine_or_skip, until_nothing_is_left

UP = """
import json, os, sys
from pathlib import Path
from tests.conformance.stack.conftest import Project
from peeklock.stack.containers.stack import ContainersStack
project = Project.__new__(Project)
project.root = Path(sys.argv[1])
stack = ContainersStack.start(project.root, room=2)
supervisor = stack._supervisor.call("hello")["pid"]
print(json.dumps({"stack": stack._state["deployment"]["stack"], "supervisor": supervisor}), flush=True)
stack.servers.begin("servicebus")
stack.servers.begin("blobs")
if os.environ.get("WAIT"):
    stack.environment(project.spec(postgres=False))
    print("stands", flush=True)
sys.stdin.read()
raise RuntimeError("a crash") if os.environ.get("CRASH") else SystemExit
"""


@pytest.fixture
def engine() -> Engine:
    return engine_or_skip()


@pytest.fixture
def up(
    engine: Engine, nothing_left: Callable[[], None], driver: Callable[[str], Driver], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], tuple[Driver, dict[str, Any]]]]:
    """A stack in a process of its own, that stands."""
    monkeypatch.setenv("WAIT", "1")
    stacks: list[str] = []

    def start() -> tuple[Driver, dict[str, Any]]:
        running = driver(UP)
        facts = json.loads(running.line())
        stacks.append(facts["stack"])
        assert running.line() == "stands"
        assert len(engine.labelled(f"{STACK_LABEL}={facts['stack']}")) == 3, "two containers and a network"
        return running, facts

    yield start
    for stack in stacks:
        engine.remove(f"{STACK_LABEL}={stack}")


Up = Callable[[], tuple[Driver, dict[str, Any]]]


def test_a_stack_that_ends_in_order(engine: Engine, project: Project, nothing_left: Callable[[], None]) -> None:
    with ContainersStack.start(project.root, ["servicebus"], room=1) as stack:
        stack.servers.wait(["servicebus"])
        name = stack._state["deployment"]["stack"]
        assert engine.labelled(f"{STACK_LABEL}={name}")
    assert engine.labelled(f"{STACK_LABEL}={name}") == [], "when `close` returns, not some time later"


def test_an_owner_that_crashes(engine: Engine, up: Up, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRASH", "1")
    running, facts = up()
    running.process.communicate()
    assert running.process.returncode == 1
    until_nothing_is_left(engine, facts["stack"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_an_owner_that_is_killed(engine: Engine, up: Up, number: int) -> None:
    running, facts = up()
    running.process.send_signal(number)
    until_nothing_is_left(engine, facts["stack"])


def test_a_supervisor_that_is_killed(engine: Engine, up: Up) -> None:
    _, facts = up()
    os.kill(facts["supervisor"], signal.SIGKILL)
    until_nothing_is_left(engine, facts["stack"])


@pytest.mark.parametrize("delay", [0.0, 0.15, 0.3, 0.5, 0.8])
def test_an_owner_that_is_killed_while_the_stack_comes_up(
    engine: Engine, nothing_left: Callable[[], None], driver: Callable[[str], Driver], delay: float
) -> None:
    """What the engine was asked for in that moment is made after the owner's death: it goes all the same."""
    import select

    running = driver(UP)
    facts = json.loads(running.line())
    select.select([], [], [], delay)
    running.kill()
    nothing_left()
    until_nothing_is_left(engine, facts["stack"])


def test_what_nobody_could_remove_is_swept_by_the_next_stack_and_by_down_all(
    engine: Engine, up: Up, project: Project
) -> None:
    """All of Peeklock's processes are killed in one moment, as when memory runs out."""
    for remove in (lambda: ContainersStack.start(project.root, room=1).close(), warm.sweep):
        running, facts = up()
        guard = int(Path(f"/proc/{facts['supervisor']}/stat").read_text().rpartition(")")[2].split()[1])
        for pid in (guard, facts["supervisor"], running.process.pid):
            os.kill(pid, signal.SIGKILL)
        running.close()
        assert engine.labelled(f"{STACK_LABEL}={facts['stack']}")
        remove()
        assert engine.labelled(f"{STACK_LABEL}={facts['stack']}") == []


def test_a_stack_that_runs_is_not_swept(engine: Engine, up: Up) -> None:
    _, facts = up()
    _, left = warm.sweep()
    assert left >= 3
    assert len(engine.labelled(f"{STACK_LABEL}={facts['stack']}")) == 3
    labels = engine.labelled(f"{STACK_LABEL}={facts['stack']}")[0]
    assert ownership.dead(labels["peeklock.owner"]) is False


def test_a_container_that_cannot_start_is_not_left(engine: Engine, project: Project) -> None:
    import socket

    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        port = sock.getsockname()[1]
        with ContainersStack.start(project.root, room=1, ports={"blobs": port}) as stack:
            with pytest.raises(PeeklockError, match=f"port {port} is in use, so Azurite cannot listen on it"):
                stack.servers.wait(["blobs"])
            labelled = engine.labelled(f"{STACK_LABEL}={stack._state['deployment']['stack']}")
            assert len(labelled) == 1, "the network alone"
