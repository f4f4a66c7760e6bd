"""Jobs and replicas, with a user's own programs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from peeklock.stack.clock import faketime
from tests.acceptance.conftest import Run

JOB = """\
import os, sys, time
from azure.servicebus import ServiceBusClient

with (
    ServiceBusClient.from_connection_string(os.environ["AZURE_SERVICEBUS_CONNECTION_STRING"]) as client,
    client.get_queue_receiver("chores", max_wait_time=5) as receiver,
):
    print("begun", flush=True)
    for message in receiver.receive_messages(max_message_count=1):
        what = str(message)
        if what == "fail" and message.delivery_count == 0:
            receiver.abandon_message(message)
            sys.exit(1)
        if what == "hang" and message.delivery_count == 0:
            time.sleep(10_000)
        receiver.complete_message(message)
"""

SCENARIO = """\
scenario: chores
tags: [jobs]
stack:
  servicebus:
    queues: {chores: {lock_duration: 5s, consumers: [chore]}}
services:
  chore:
    run: [python, job.py]
    scale: {queue: chores, messages: 1, max: 4, job: {timeout: 60s, retries: 1}}
always: [no_stuck_messages, no_service_exit, no_unexpected_consumers]
cases:
  one_each:
    steps:
      - send: {queue: chores, text: work, times: 3}
      - clock: {advance: 30s}
      - settle: 20s
      - scale: chore
        eventually: 10s
        expect: {replicas: 0, running: 0, begun: 3}
      - name: each message had an execution of its own
        messages: {queue: chores}
        expect: {count: 3, unique: "receivers[0]", each: {deliveries: 1, outcome: completed}}
  begun_again:
    allow: [no_service_exit]
    steps:
      - send: {queue: chores, text: fail}
      - clock: {advance: 30s}
      - settle: 20s
      - scale: chore
        eventually: 10s
        expect: {running: 0, begun: 1, executions: [{status: succeeded, attempts: 2}]}
  begun_again_after_a_crash:
    steps:
      - crash: {service: chore, at: {queue: chores, on: complete}}
      - send: {queue: chores, text: work}
      - clock: {advance: 30s}
      - crash: {wait: chore}
      - name: when the lock has ended, the second attempt has the message
        clock: {advance: 5s}
      - settle: 20s
      - scale: chore
        eventually: 10s
        expect: {running: 0, begun: 1, executions: [{status: succeeded, attempts: 2}]}
  ended_when_it_hangs:
    steps:
      - send: {queue: chores, text: hang}
      - clock: {advance: 30s}
      - logs: {service: chore, contains: begun}
        eventually: 20s
        expect: {count: 1}
      - messages: {queue: chores}
        eventually: 20s
        expect: {each: {outcome: locked}}
      - clock: {advance: 60s}
      - settle: 30s
      - scale: chore
        eventually: 10s
        expect: {running: 0}
      - messages: {queue: chores}
        expect: {count: 1, each: {deliveries: 2, outcome: completed}}
"""


@pytest.fixture
def chores(project: Path) -> str:
    """A file beside the toy's own, with a job."""
    (project / "job.py").write_text(JOB, encoding="utf-8")
    (project / "scenarios" / "chores.yaml").write_text(SCENARIO, encoding="utf-8")
    return "scenarios/chores.yaml"


@pytest.mark.skipif(bool(faketime.why_not()), reason=faketime.why_not() or "it works")
def test_executions_are_begun_for_messages_begun_again_and_ended(peeklock: Run, chores: str) -> None:
    done = peeklock("run", chores)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 failed, 4 passed" in done.stdout


def test_a_rule_is_checked_before_anything_starts(peeklock: Run, project: Path) -> None:
    text = SCENARIO.replace("queue: chores, messages", "queue: chors, messages").replace("max: 4", "max: 4, min: 5")
    path = project / "scenarios" / "wrong.yaml"
    path.write_text(text, encoding="utf-8")
    done = peeklock("check", "scenarios/wrong.yaml")
    assert done.returncode == 2
    assert "min (5) is above max (4)" in done.stderr
    path.write_text(text.replace(", min: 5", "").replace("- scale: chore\n", "- scale: other\n"), encoding="utf-8")
    done = peeklock("check", "scenarios/wrong.yaml")
    assert done.returncode == 2
    assert 'there is no queue "chors"' in done.stderr
    assert 'there is no service "other"' in done.stderr


def test_a_plan_is_printed_for_a_load(peeklock: Run, chores: str, project: Path) -> None:
    (project / "load.csv").write_text("seconds,messages\n0,0\n10,3\n100,0\n", encoding="utf-8")
    done = peeklock("plan", chores, "--load", "load.csv", "--takes", "45s")
    assert done.returncode == 0, done.stderr
    rows = re.findall(r"^ *(\S+) +(\d+) +(\d+) ", done.stdout, re.MULTILINE)
    assert rows == [
        ("0s", "0", "0"),
        ("30s", "3", "3"),
        ("1m", "3", "3"),
        ("1m30s", "3", "3"),
        ("2m", "0", "3"),
        ("2m30s", "0", "0"),
    ]


def test_a_load_that_cannot_be_read_is_told_with_its_line(peeklock: Run, chores: str, project: Path) -> None:
    (project / "load.csv").write_text("0,0\nmany\n", encoding="utf-8")
    done = peeklock("plan", chores, "--load", "load.csv")
    assert done.returncode == 2
    assert "line 2: expected seconds,messages" in done.stderr
    assert "load.csv" in done.stderr
