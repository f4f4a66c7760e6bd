"""Message sessions as azure-servicebus sees them, sync and aio; each test says which semantic it holds us to."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from azure.servicebus import (
    NEXT_AVAILABLE_SESSION,
    ServiceBusClient,
    ServiceBusMessage,
    ServiceBusReceiveMode,
    ServiceBusSubQueue,
)
from azure.servicebus import aio as sb_aio
from azure.servicebus.exceptions import (
    OperationTimeoutError,
    ServiceBusError,
    SessionCannotBeLockedError,
    SessionLockLostError,
)

from peeklock.servicebus import Emulator, Queue, Subscription, Topic, Topology
from peeklock.servicebus.amqp import Envelope
from peeklock.servicebus.amqp.sections import build

QUEUES = {
    "sessions": Queue(requires_session=True, max_delivery_count=3),
    "quick": Queue(requires_session=True, lock_duration=1.0),
    "plain": Queue(),
}


TOPICS = {"news": Topic(subscriptions={"sessions": Subscription(requires_session=True)})}


@pytest.fixture(scope="module")
def shared():
    with Emulator(Topology(queues=QUEUES, topics=TOPICS)) as emulator:
        yield emulator


@pytest.fixture
def bus(shared):
    shared.start = shared.reset()
    return shared


@pytest.fixture(scope="module")
def client(shared):
    with ServiceBusClient.from_connection_string(shared.connection_string(), retry_total=0) as client:
        yield client


@pytest.fixture(scope="module")
def sender(client):
    with client.get_queue_sender("sessions") as sender:
        yield sender


def text(session, *bodies):
    return [ServiceBusMessage(body, session_id=session) for body in bodies]


def bodies(messages):
    return [str(message) for message in messages]


def test_a_named_session_is_received_in_order(bus, client, sender):
    """S-8, S-58, S-61, S-62: the filter is echoed, locked-until is told in ticks, order is kept, others stay out."""
    session_id = str(uuid.uuid4())
    sender.send_messages(text(session_id, "1", "2") + text("other", "x") + text(session_id, "3"))
    before = datetime.now(UTC)
    with client.get_queue_receiver("sessions", session_id=session_id, max_wait_time=2) as receiver:
        assert receiver.session.session_id == session_id
        left = receiver.session.locked_until_utc - before
        assert timedelta(seconds=59) < left < timedelta(seconds=70)
        got = []
        for message in receiver:
            assert message.session_id == session_id
            assert message.locked_until_utc is None
            assert message.delivery_count == 0
            receiver.complete_message(message)
            got.append(str(message))
            if len(got) == 3:
                break
    assert got == ["1", "2", "3"]


def test_next_available_session_and_the_held_one(bus, client, sender):
    """S-58, S-59: null takes any session that has messages; a held one cannot be locked."""
    sender.send_messages(text("a", "1"))
    with client.get_queue_receiver("sessions", session_id=NEXT_AVAILABLE_SESSION, max_wait_time=5) as receiver:
        assert receiver.session.session_id == "a"
        assert bodies(receiver.receive_messages(5, max_wait_time=2)) == ["1"]
        with pytest.raises(SessionCannotBeLockedError):
            client.get_queue_receiver("sessions", session_id="a").__enter__()
    with client.get_queue_receiver("sessions", session_id="a", max_wait_time=5) as receiver:
        (message,) = receiver.receive_messages(5)
        assert message.delivery_count == 0  # S-49: closing adds nothing
        receiver.complete_message(message)


def test_no_session_in_time_is_a_timeout(bus, client, sender):
    """S-17, S-59: com.microsoft:timeout bounds the wait; nobody is given a session afterwards."""
    receiver = client.get_queue_receiver("sessions", session_id=NEXT_AVAILABLE_SESSION, max_wait_time=1)
    with pytest.raises(OperationTimeoutError):
        receiver._open_with_retry()
    receiver.close()
    sender.send_messages(text("s", "late"))
    assert [entry.event for entry in bus.ledger.entries(bus.start)] == ["enqueued"]


def test_the_attach_waits_for_a_session(bus, client, sender):
    """S-59: the answer to the attach comes when a session becomes available."""
    raw = build(properties=[*[None] * 10, "late"], data=b"late")

    def send(server):
        server.namespace.entity("sessions").send([Envelope(raw)])
        server.context.turns.end()

    bus.call(lambda server: server.context.loop.call_later(0.5, send, server))
    with client.get_queue_receiver("sessions", session_id=NEXT_AVAILABLE_SESSION, max_wait_time=10) as receiver:
        assert receiver.session.session_id == "late"
        assert bodies(receiver.receive_messages(1, max_wait_time=5)) == ["late"]


def test_plain_and_session_receivers_do_not_mix(bus, client):
    """S-60: amqp:not-allowed both ways; a message without a session id is rejected."""
    with pytest.raises(ServiceBusError) as caught:
        client.get_queue_receiver("sessions").__enter__()
    assert "sessions" in str(caught.value)
    with pytest.raises(ServiceBusError) as caught:
        client.get_queue_receiver("plain", session_id="a").__enter__()
    assert "does not require sessions" in str(caught.value)


def test_a_message_without_a_session_is_rejected(bus, sender):
    """S-60, S-65: alone and in a batch, of which nothing is kept."""
    for payload in (ServiceBusMessage("x"), [*text("a", "1"), ServiceBusMessage("x")]):
        with pytest.raises(ServiceBusError, match="SessionId was not set"):
            sender.send_messages(payload)
    assert bus.ledger.entries(bus.start) == []


def test_state_is_set_read_and_cleared(bus, client):
    """S-28, S-62: set-session-state, get-session-state; it outlives the receiver; null clears it."""
    with client.get_queue_receiver("sessions", session_id="s", max_wait_time=2) as receiver:
        assert receiver.session.get_state() is None
        receiver.session.set_state("first")
        assert receiver.session.get_state() == b"first"
    with client.get_queue_receiver("sessions", session_id="s", max_wait_time=2) as receiver:
        assert receiver.session.get_state() == b"first"
        receiver.session.set_state(None)
        assert receiver.session.get_state() is None


def test_renewing_and_losing_the_lock(bus, client):
    """S-28, S-61: renew-session-lock moves locked-until; after a loss SessionLockLostError, and the count is one up."""
    with client.get_queue_sender("quick") as sender:
        sender.send_messages(text("s", "1"))
    with client.get_queue_receiver("quick", session_id="s", max_wait_time=5) as receiver:
        (message,) = receiver.receive_messages(1)
        first = receiver.session.locked_until_utc
        assert receiver.session.renew_lock() > first
        bus.ledger.wait_for(lambda entries: any(e.event == "lock_expired" for e in entries), after=bus.start)
        with pytest.raises(SessionLockLostError):
            receiver.complete_message(message)
        with pytest.raises(SessionLockLostError):
            receiver.session.get_state()
    with client.get_queue_receiver("quick", session_id="s", max_wait_time=5) as receiver:
        (message,) = receiver.receive_messages(1)
        assert message.delivery_count == 1
        receiver.complete_message(message)


def test_deferred_messages_of_a_session(bus, client, sender):
    """S-28, S-31, S-48: fetched by number with the session's id, settled over $management."""
    sender.send_messages(text("s", "1", "2"))
    with client.get_queue_receiver("sessions", session_id="s", max_wait_time=5) as receiver:
        numbers = []
        while len(numbers) < 2:
            for message in receiver.receive_messages(2):
                receiver.defer_message(message)
                numbers.append(message.sequence_number)
        first, second = receiver.receive_deferred_messages(numbers)
        receiver.complete_message(first)
        receiver.dead_letter_message(second, reason="because")
        with pytest.raises(ServiceBusError):
            receiver.receive_deferred_messages(numbers)
    with client.get_queue_receiver(
        "sessions", sub_queue=ServiceBusSubQueue.DEAD_LETTER, max_wait_time=5
    ) as receiver:  # S-51: a plain receiver
        (message,) = receiver.receive_messages(1)
        assert (str(message), message.dead_letter_reason, message.session_id) == ("2", "because", "s")
        receiver.complete_message(message)


def test_peeking_and_scheduling_in_a_session(bus, client, sender):
    """S-54, S-55: peek shows the session's own; a scheduled message belongs to its session from the beginning."""
    sender.send_messages(text("s", "1") + text("t", "2"))
    (number,) = sender.schedule_messages(text("s", "3"), datetime.now(UTC) + timedelta(hours=1))
    with client.get_queue_receiver("sessions", session_id="s", max_wait_time=5) as receiver:
        assert bodies(receiver.peek_messages(10)) == ["1", "3"]
        sender.cancel_scheduled_messages(number)
        assert bodies(receiver.peek_messages(10, sequence_number=1)) == ["1"]


def test_receive_and_delete_in_a_session(bus, client, sender):
    """S-40 with sessions, and with the empty session id (S-58)."""
    sender.send_messages(text("", "1", "2"))
    mode = ServiceBusReceiveMode.RECEIVE_AND_DELETE
    with client.get_queue_receiver("sessions", session_id="", receive_mode=mode, max_wait_time=5) as receiver:
        got = []
        while len(got) < 2:
            got += bodies(receiver.receive_messages(2))
    assert got == ["1", "2"]
    (queue,) = [queue for queue in bus.entities() if queue["name"] == "sessions"]
    assert queue["active"] == queue["locked"] == 0


def test_sessions_are_listed(bus, client, sender):
    """S-28: get-message-sessions over several pages, by messages or state, and by the time of the state."""
    if not hasattr(client, "list_queue_sessions"):
        pytest.skip("this SDK cannot list sessions")
    assert list(client.list_queue_sessions("sessions")) == []
    names = {f"s{number:03}" for number in range(120)}
    sender.send_messages([ServiceBusMessage("x", session_id=name) for name in names])
    assert set(client.list_queue_sessions("sessions")) == names
    cutoff = datetime.now(UTC) - timedelta(seconds=1)
    assert list(client.list_queue_sessions("sessions", state_updated_after=cutoff)) == []
    with client.get_queue_receiver("sessions", session_id="s007", max_wait_time=2) as receiver:
        receiver.session.set_state("x")
    assert list(client.list_queue_sessions("sessions", state_updated_after=cutoff)) == ["s007"]


def test_a_subscription_has_sessions(bus, client):
    """S-58, S-62, S-69: sessions belong to the entity that is received from, queue or subscription."""
    with client.get_topic_sender("news") as sender:
        sender.send_messages(text("a", "1", "2"))
    with client.get_subscription_receiver(
        "news", "sessions", session_id=NEXT_AVAILABLE_SESSION, max_wait_time=5
    ) as receiver:
        assert receiver.session.session_id == "a"
        receiver.session.set_state("x")
        got = []
        while len(got) < 2:
            for message in receiver.receive_messages(2):
                got.append(str(message))
                receiver.complete_message(message)
    assert got == ["1", "2"]
    if hasattr(client, "list_subscription_sessions"):
        assert list(client.list_subscription_sessions("news", "sessions")) == ["a"]


def test_aio_sessions(bus):
    """S-58 to S-62 over the asyncio client: next available, state, renewal, abandon, complete, timeout."""

    async def run():
        async with sb_aio.ServiceBusClient.from_connection_string(bus.connection_string(), retry_total=0) as client:
            async with client.get_queue_sender("sessions") as sender:
                await sender.send_messages(text("s", "1", "2"))
            async with client.get_queue_receiver(
                "sessions", session_id=NEXT_AVAILABLE_SESSION, max_wait_time=5
            ) as receiver:
                assert receiver.session.session_id == "s"
                await receiver.session.set_state("aio")
                assert await receiver.session.get_state() == b"aio"
                assert await receiver.session.renew_lock() > datetime.now(UTC)
                (message,) = await receiver.receive_messages(1)
                await receiver.abandon_message(message)
                got = []
                while len(got) < 2:
                    for message in await receiver.receive_messages(2):
                        got.append((str(message), message.delivery_count))
                        await receiver.complete_message(message)
                assert got == [("1", 1), ("2", 0)]
            waiting = client.get_queue_receiver("sessions", session_id=NEXT_AVAILABLE_SESSION, max_wait_time=1)
            with pytest.raises(OperationTimeoutError):
                await waiting._open_with_retry()
            await waiting.close()

    asyncio.run(run())
