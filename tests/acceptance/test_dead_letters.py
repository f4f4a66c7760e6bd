"""`peeklock dlq`: what lies in a dead-letter queue, and a second chance for the whole of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage, ServiceBusReceiver
from azure.servicebus.amqp import AmqpAnnotatedMessage

from peeklock.servicebus import Emulator, Queue, Subscription, Topic, Topology
from tests.acceptance.conftest import Run

TOPOLOGY = Topology(
    queues={"jobs": Queue(max_delivery_count=1), "sessions": Queue(requires_session=True)},
    topics={"news": Topic(subscriptions={"all": Subscription()})},
)


@pytest.fixture(scope="module")
def bus() -> Iterator[Emulator]:
    with Emulator(TOPOLOGY) as emulator:
        yield emulator


@pytest.fixture
def client(bus: Emulator) -> Iterator[ServiceBusClient]:
    bus.reset()
    with ServiceBusClient.from_connection_string(bus.connection_string()) as client:
        yield client


def bury(receiver: ServiceBusReceiver) -> None:
    for message in receiver.receive_messages(10, max_wait_time=3):
        receiver.dead_letter_message(message, reason="R", error_description="D")


def body(message: object) -> object:
    raw = message.raw_amqp_message  # type: ignore[attr-defined]
    return raw.body_type.name, list(raw.body) if hasattr(raw.body, "__next__") else raw.body


def test_a_message_comes_back_whole(bus: Emulator, client: ServiceBusClient, peeklock: Run) -> None:
    """Value, sequence and data bodies, and every property that its sender gave it."""
    sent = [
        AmqpAnnotatedMessage(value_body="a text"),
        AmqpAnnotatedMessage(value_body={"order": 7}),
        AmqpAnnotatedMessage(sequence_body=[[1, "a"]]),
        ServiceBusMessage(
            "data",
            to="to",
            reply_to="back",
            reply_to_session_id="rs",
            partition_key="pk",
            time_to_live=dt.timedelta(hours=2),
            application_properties={"n": 5},
        ),
    ]
    with client.get_queue_sender("jobs") as sender, client.get_queue_receiver("jobs", max_wait_time=3) as receiver:
        for message in sent:
            sender.send_messages(message)
        before = [body(message) for message in receiver.peek_messages(10)]
        bury(receiver)
        done = peeklock("dlq", "resubmit", "jobs", "--all", "--connection-string", bus.connection_string())
        assert (done.returncode, done.stdout) == (0, "4 messages sent to jobs again\n"), done.stderr
        back = receiver.receive_messages(10)
        assert [body(message) for message in back] == before
        last = back[-1]
    assert (last.to, last.reply_to, last.reply_to_session_id, last.partition_key) == ("to", "back", "rs", "pk")
    assert last.time_to_live == dt.timedelta(hours=2)
    assert last.application_properties[b"n"] == 5
    assert set(last.application_properties) == {b"n", b"resubmitted_from"}


def test_all_means_those_that_were_there(bus: Emulator, client: ServiceBusClient, peeklock: Run) -> None:
    """A message that comes back at once, because it is poison, is not sent for ever."""
    with client.get_queue_sender("jobs") as sender, client.get_queue_receiver("jobs", max_wait_time=3) as receiver:
        sender.send_messages([ServiceBusMessage(str(number)) for number in range(3)])
        bury(receiver)
        dead = client.get_queue_receiver("jobs", sub_queue="deadletter", max_wait_time=3)
        done = peeklock("dlq", "resubmit", "jobs", "--all", "--connection-string", bus.connection_string())
        assert "3 messages sent to jobs again" in done.stdout
        assert dead.peek_messages(10) == []
        assert len(receiver.peek_messages(10)) == 3
        dead.close()


def test_of_a_session_and_of_a_subscription(bus: Emulator, client: ServiceBusClient, peeklock: Run) -> None:
    """A session keeps its id; a subscription's message goes to its topic."""
    with client.get_queue_sender("sessions") as sender:
        sender.send_messages(ServiceBusMessage("x", session_id="s"))
    with client.get_queue_receiver("sessions", session_id="s", max_wait_time=3) as receiver:
        bury(receiver)
    with client.get_topic_sender("news") as sender:
        sender.send_messages(ServiceBusMessage("y"))
    with client.get_subscription_receiver("news", "all", max_wait_time=3) as receiver:
        bury(receiver)
    where = ("--all", "--connection-string", bus.connection_string())
    assert "1 message sent to sessions again" in peeklock("dlq", "resubmit", "sessions", *where).stdout
    assert "1 message sent to news again" in peeklock("dlq", "resubmit", "news/Subscriptions/all", *where).stdout
    with client.get_queue_receiver("sessions", session_id="s", max_wait_time=3) as receiver:
        assert [str(message) for message in receiver.receive_messages(5)] == ["x"]
    with client.get_subscription_receiver("news", "all", max_wait_time=3) as receiver:
        assert [str(message) for message in receiver.receive_messages(5)] == ["y"]


def test_without_a_namespace_it_says_what_to_do(peeklock: Run) -> None:
    """No connection string, and nothing that stands."""
    done = peeklock("dlq", "list", "jobs")
    assert done.returncode == 3
    assert "no environment stands" in done.stderr
    assert "how to fix" in done.stderr


@pytest.mark.slow
def test_what_a_run_has_kept_can_be_entered(peeklock: Run) -> None:
    """`peeklock env` gives psql and the SDKs what they need, and `dlq` finds the namespace by itself."""
    assert peeklock("up").returncode == 0
    try:
        assert peeklock("run", "scenarios/doubling.yaml::good").returncode == 0
        told = dict(line.removeprefix("export ").split("=", 1) for line in peeklock("env").stdout.splitlines())
        where = told["AZURE_SERVICEBUS_CONNECTION_STRING"].strip("'")
        with ServiceBusClient.from_connection_string(where) as client, client.get_queue_receiver("results") as receiver:
            assert '"doubled": 42' in str(receiver.peek_messages(1)[0])
        assert told["API_URL"].startswith("http://127.0.0.1:")
        assert peeklock("dlq", "list", "jobs").stdout == "0 messages in jobs/$deadletterqueue\n"
        assert "no environment 'nothing' stands" in peeklock("env", "nothing").stderr
    finally:
        assert peeklock("down").returncode == 0
