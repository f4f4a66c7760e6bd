"""A second kind of consumer on a queue: the race in which the wrong one wins now and then."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.conftest import Run

RIVAL = """
import json, os, sys
from azure.servicebus import ServiceBusClient

print(json.dumps({"event": "rival started"}), flush=True)
with ServiceBusClient.from_connection_string(os.environ["AZURE_SERVICEBUS_CONNECTION_STRING"]) as client:
    if sys.argv[1] == "peek":
        with client.get_queue_receiver("jobs") as receiver:
            receiver.peek_messages(1)
    else:
        with client.get_queue_receiver("jobs") as receiver:
            receiver.receive_messages(max_wait_time=0.2)
    print(json.dumps({"event": "rival done"}), flush=True)
import time
while True:
    time.sleep(60)
"""
SCENARIO = """
scenario: One consumer
stack: {servicebus: {queues: {jobs: {consumers: [worker]}, results: {}}}}
services:
  worker: {run: [python, worker.py], ready: {log: worker started}}
  rival: {run: [python, rival.py, HOW], ready: {log: rival started}}
cases:
  alone:
    steps:
      - service: {restart: rival}
      - logs: {service: rival, where: {event: rival done}}
        eventually: 20s
        expect: {count: 1}
      - send: {queue: jobs, json: {id: a, number: 1}}
      - settle: 20s
      - queue: jobs
        expect: {consumers: CONSUMERS}
always: [no_unexpected_consumers, no_stuck_messages]
"""


@pytest.mark.parametrize(("how", "consumers"), [("peek", "[worker]"), ("once", "[rival, worker]")])
def test_a_rival_is_told_though_it_asked_for_a_moment_and_got_nothing(
    peeklock: Run, project: Path, how: str, consumers: str
) -> None:
    """One that only peeks takes nothing from anybody."""
    (project / "rival.py").write_text(RIVAL)
    (project / "scenarios" / "rival.yaml").write_text(SCENARIO.replace("HOW", how).replace("CONSUMERS", consumers))
    done = peeklock("run", "scenarios/rival.yaml")
    assert done.returncode == (1 if how == "once" else 0), done.stdout + done.stderr
    told = "no_unexpected_consumers: jobs has the consumer rival; declared: worker"
    assert (told in done.stdout) == (how == "once")
