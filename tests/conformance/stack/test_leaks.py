"""SIGKILL at any moment leaves no process, no directory and no port behind."""

from __future__ import annotations

import os
import select
import signal
import socket
from collections.abc import Callable

import pytest

from tests.conformance.stack.conftest import Driver

UP = """
import json, sys
from pathlib import Path
from tests.conformance.stack.conftest import Project
from peeklock.stack.embedded.stack import EmbeddedStack
root = Path(sys.argv[1])
project = Project.__new__(Project)
project.root = root
print("started", flush=True)
stack = EmbeddedStack.start(root, ["postgres", "blobs", "servicebus"])
environment = stack.environment(project.spec(services={"api": project.service("--grandchild", replicas=2)}))
print(json.dumps({
    "ports": [stack.servers.postgres().port, stack.servers.blobs().port,
              *(int(url.rpartition(":")[2]) for url in environment.services.urls("api"))],
    "supervisor": stack._supervisor.call("hello")["pid"],
}), flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("delay", [0.0, 0.02, 0.04, 0.06, 0.09, 0.13, 0.2, 0.3, 0.45, 0.7])
def test_killed_while_it_comes_up(
    nothing_left: Callable[[], None], driver: Callable[[str], Driver], delay: float
) -> None:
    running = driver(UP)
    assert running.line() == "started"
    select.select([], [], [], delay)
    running.kill()
    nothing_left()


def test_killed_in_full_run(nothing_left: Callable[[], None], driver: Callable[[str], Driver]) -> None:
    import json

    running = driver(UP)
    running.line()
    facts = json.loads(running.line())
    running.kill()
    nothing_left()
    for port in facts["ports"]:
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(("127.0.0.1", port))


def test_the_supervisor_killed_in_full_run(nothing_left: Callable[[], None], driver: Callable[[str], Driver]) -> None:
    import json

    running = driver(UP)
    running.line()
    os.kill(json.loads(running.line())["supervisor"], signal.SIGKILL)
    running.close()
    nothing_left()
