"""Old messages: `peeklock record` writes what a queue holds, `send: {recorded: …}` sends it as it was."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from pathlib import Path

from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.servicebus.amqp import AmqpAnnotatedMessage

from peeklock.servicebus import Emulator, Queue, Topology
from tests.acceptance.conftest import Run

RECEIVE = '''
from azure.servicebus import ServiceBusClient

def received(connection_string):
    """Every message as Azure's SDK reads it: its body and all that its sender said."""
    with ServiceBusClient.from_connection_string(connection_string) as client, client.get_queue_receiver("jobs") as receiver:
        return [told(message) for message in receiver.receive_messages(10, max_wait_time=5)]

def told(message):
    raw = message.raw_amqp_message
    body = list(raw.body) if hasattr(raw.body, "__next__") else raw.body
    said = (message.message_id, message.correlation_id, message.subject, message.session_id, message.content_type)
    rest = (message.reply_to, message.to, message.time_to_live, message.partition_key)
    return repr((raw.body_type.name, body, said, rest, sorted((message.application_properties or {}).items())))
'''
SCENARIO = """
scenario: Old messages
stack: {servicebus: {queues: {jobs: {}}}}
cases:
  as_they_were:
    steps:
      - send: {queue: jobs, recorded: old.jsonl}
        expect: {count: 5}
      - run: {python: "receive:received", with: {connection_string: "${servicebus.connection_string}"}}
        expect: {$snapshot: received}
  changed:
    steps:
      - send: {queue: jobs, recorded: old.jsonl, only: [job-1], message_id: "${uuid()}", properties: {tenant: b}}
      - messages: {queue: jobs}
        expect: {count: 1, each: {body: {job: 1}, application_properties: {retries: 3, tenant: b}}}
"""


def sent() -> list[ServiceBusMessage | AmqpAnnotatedMessage]:
    properties = {
        "retries": 3,
        "urgent": True,
        "weight": 2.5,
        "at": dt.datetime(2026, 1, 31, 10, tzinfo=dt.UTC),
        "who": uuid.UUID(int=7),
    }
    return [
        ServiceBusMessage(
            '{"job":1}',
            message_id="job-1",
            correlation_id="c",
            subject="new",
            content_type="application/json",
            reply_to="back",
            to="there",
            time_to_live=dt.timedelta(hours=2),
            application_properties=properties,
        ),
        ServiceBusMessage(b"\xff\xfe", message_id="job-2"),
        ServiceBusMessage("", message_id="job-3", partition_key="p"),
        AmqpAnnotatedMessage(value_body={"order": 7}, properties={"message_id": "job-4"}),
        AmqpAnnotatedMessage(sequence_body=[[1, "a"]], properties={"message_id": "job-5"}),
    ]


def test_recorded_from_a_queue_and_sent_by_a_scenario(peeklock: Run, project: Path) -> None:
    """Bodies and properties come to Azure's SDK as they came from the first queue."""
    folder = project / "scenarios"
    (folder / "receive.py").write_text(RECEIVE)
    (folder / "old.yaml").write_text(SCENARIO)
    with Emulator(Topology(queues={"jobs": Queue()})) as emulator:
        where = emulator.connection_string()
        with ServiceBusClient.from_connection_string(where) as client, client.get_queue_sender("jobs") as sender:
            for message in sent():
                sender.send_messages(message)
        done = peeklock("record", "jobs", "--output", "scenarios/old.jsonl", "--connection-string", where)
        assert (done.returncode, done.stdout) == (0, "5 messages of jobs in scenarios/old.jsonl\n"), done.stderr
        names: dict[str, object] = {}
        exec(RECEIVE, names)
        before = names["received"](where)  # type: ignore[operator]
    assert len(before) == 5
    (folder / "snapshots").mkdir()
    (folder / "snapshots" / "received.json").write_text(json.dumps(before))
    done = peeklock("run", "scenarios/old.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_empty_queue_and_a_signature_are_told(peeklock: Run, project: Path) -> None:
    with Emulator(Topology(queues={"jobs": Queue()})) as emulator:
        where = emulator.connection_string()
        done = peeklock("record", "jobs", "--output", "old.jsonl", "--connection-string", where)
        assert (done.returncode, (project / "old.jsonl").exists()) == (1, False)
        assert "no message is in jobs" in done.stderr
        with ServiceBusClient.from_connection_string(where) as client, client.get_queue_sender("jobs") as sender:
            sender.send_messages(ServiceBusMessage("https://a.blob.core.windows.net/c/b?sig=abcdef123456"))
        done = peeklock("record", "jobs", "--output", "old.jsonl", "--connection-string", where)
        assert done.returncode == 0
        assert "what looks like a key, token or signature is in it, line 1" in done.stderr
        assert "abcdef123456" not in done.stdout + done.stderr
