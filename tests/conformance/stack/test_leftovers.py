"""A service that works on a message of one case does not reach into the next one."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from peeklock.scenario.topology import ServiceBus, Stack
from peeklock.servicebus.client import Client, OutgoingMessage
from peeklock.stack.backend import Environment, EnvironmentSpec
from peeklock.stack.embedded.stack import EmbeddedStack
from tests.conformance.stack.conftest import REPOSITORY, Project

WORKER = """
import os, sys, threading
from peeklock.servicebus.client import Client, OutgoingMessage
client = Client(os.environ["AZURE_SERVICEBUS_CONNECTION_STRING"])
work = threading.Event()
print('{"event": "worker.ready"}', flush=True)
while True:
    for message in client.receive("jobs", 1, 60):
        print('{"event": "worker.begun"}', flush=True)
        work.wait(float(sys.argv[1]))  # the work itself
        client.send("results", [OutgoingMessage(b"done")])
        try:
            client.complete(message)
        except Exception as error:
            print(f"too late: {error}", flush=True)
"""


@pytest.fixture
def spec(project: Project) -> Callable[..., EnvironmentSpec]:
    """A worker that takes so long (seconds) for each job."""

    def make(lasts: str, **more: Any) -> EnvironmentSpec:
        script = project.root / "worker.py"
        script.write_text(WORKER)
        ready = project.service(ready={"log": "worker.ready"}).ready
        worker = project.service().model_copy(update={"run": ["python", str(script), lasts], "ready": ready})
        queues = ServiceBus.model_validate({"queues": {"jobs": {}, "results": {}}})
        found = project.spec(services={"worker": worker}, env={"worker": {"PYTHONPATH": str(REPOSITORY)}}, **more)
        return dataclasses.replace(found, stack=Stack(servicebus=queues))

    return make


def give_a_job(environment: Environment) -> None:
    """Return when the worker has it."""
    with Client(environment.endpoints.servicebus_connection_string or "") as client:
        client.send("jobs", [OutgoingMessage(b"a job")])
    events, cursor = [""], 0
    while "delivered" not in events:
        entries, cursor = environment.ledger(cursor, wait=10.0)
        events = [entry.event for entry in entries]


@pytest.mark.parametrize(("lasts", "same_process"), [("0.3", True), ("60", False)])
def test_what_is_under_way_ends_before_the_next_case(
    project: Project, spec: Callable[..., EnvironmentSpec], lasts: str, same_process: bool
) -> None:
    """With a moment to come to an end; else the service is started anew. What it sends meanwhile is gone."""
    with EmbeddedStack.start(project.root) as stack:
        environment = stack.environment(spec(lasts))
        give_a_job(environment)
        environment.reset()
        exits, _ = environment.services.exits()
        assert (exits == []) is same_process
        assert environment.services.running("worker") == 1
        assert [queue["active"] for queue in environment.queues()] == [0, 0]


def test_nor_does_what_the_end_of_the_emulator_has_cut_off(
    project: Project, spec: Callable[..., EnvironmentSpec]
) -> None:
    """The emulator that came back knows nothing of it; the worker may be at it still."""
    with EmbeddedStack.start(project.root) as stack:
        environment = stack.environment(spec("60", private=True, lasting=True))
        give_a_job(environment)
        environment.dependencies.kill("servicebus")
        environment.dependencies.start("servicebus")
        environment.reset()
        exits, _ = environment.services.exits()
        assert [gone.expected for gone in exits] == [True]
        assert environment.services.running("worker") == 1
