"""A service that works on a message of one case does not reach into the next one."""

from __future__ import annotations

import dataclasses

import pytest

from harness.scenario.topology import ServiceBus, Stack
from harness.servicebus.client import Client, OutgoingMessage
from harness.stack.embedded import EmbeddedStack
from tests.conformance.stack.conftest import REPOSITORY, Project

WORKER = """
import os, sys, threading
from harness.servicebus.client import Client, OutgoingMessage
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


@pytest.mark.parametrize(("lasts", "same_process"), [("0.3", True), ("60", False)])
def test_what_is_under_way_ends_before_the_next_case(project: Project, lasts: str, same_process: bool) -> None:
    """With a moment to come to an end; else the service is started anew. What it sends meanwhile is gone."""
    script = project.root / "worker.py"
    script.write_text(WORKER)
    worker = project.service().model_copy(
        update={"run": ["python", str(script), lasts], "ready": project.service(ready={"log": "worker.ready"}).ready}
    )
    spec = project.spec(
        services={"worker": worker}, env={"worker": {"PYTHONPATH": str(REPOSITORY)}}, postgres=False, blobs=False
    )
    queues = ServiceBus.model_validate({"queues": {"jobs": {}, "results": {}}})
    with EmbeddedStack.start(project.root) as stack:
        environment = stack.environment(dataclasses.replace(spec, stack=Stack(servicebus=queues)))
        environment.reset()
        with Client(environment.endpoints.servicebus_connection_string or "") as client:
            client.send("jobs", [OutgoingMessage(b"a job")])
            events, cursor = [""], 0
            while "delivered" not in events:
                entries, cursor = environment.ledger(cursor, wait=10.0)
                events = [entry["event"] for entry in entries]
            environment.reset()
            exits, _ = environment.services.exits()
            assert (exits == []) is same_process
            assert environment.services.running("worker") == 1
            assert [queue["active"] for queue in environment.queues()] == [0, 0]
