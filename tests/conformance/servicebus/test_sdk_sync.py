"""azure-servicebus, synchronous, against the emulator."""

from __future__ import annotations

import datetime as dt
import gc
import uuid
from decimal import Decimal

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage, ServiceBusMessageState, _version
from azure.servicebus.amqp import AmqpAnnotatedMessage, AmqpMessageBodyType
from azure.servicebus.exceptions import (
    MessageAlreadySettled,
    MessageLockLostError,
    MessageNotFoundError,
    MessageSizeExceededError,
    MessagingEntityNotFoundError,
    ServiceBusAuthenticationError,
    ServiceBusAuthorizationError,
    ServiceBusError,
)

from peeklock.servicebus import Client, OutgoingMessage


def events(bus, queue="plain"):
    return [e.event for e in bus.ledger.entries(bus.start) if e.entity == queue]


def now(bus):
    """The broker's time: tests move its clock."""
    return dt.datetime.fromtimestamp(bus.clock.now(), dt.UTC)


def receive(receiver, count=1):
    """Receive exactly `count` messages."""
    got = []
    while len(got) < count:
        batch = receiver.receive_messages(max_message_count=count - len(got), max_wait_time=5)
        assert batch, f"{len(got)} of {count} came"
        got += batch
    return got


def send_once(client, queue):
    """Send one message; a sender that fails to open must be closed by hand, or its socket leaks."""
    sender = client.get_queue_sender(queue)
    try:
        sender.send_messages(ServiceBusMessage(b"x"))
    finally:
        sender.close()


def receive_once(client, **options):
    receiver = client.get_queue_receiver("plain", **options)
    try:
        receiver.receive_messages(max_wait_time=1)
    finally:
        receiver.close()


def test_properties_round_trip(bus, sender, receiver):
    """S-36, S-37: every property and every AMQP type of an application property comes back."""
    stamp = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
    identifier = uuid.uuid4()
    application = {"s": "ü", "i": 5, "n": -5, "f": 1.5, "b": True, "none": None, "u": identifier, "t": stamp}
    sender.send_messages(
        ServiceBusMessage(
            b"body",
            message_id="id",
            subject="subject",
            content_type="application/json",
            correlation_id="corr",
            to="to",
            reply_to="reply",
            time_to_live=dt.timedelta(minutes=5),
            application_properties=application,
        )
    )
    (message,) = receive(receiver)
    assert (message.locked_until_utc - message.enqueued_time_utc).total_seconds() >= 29
    receiver.complete_message(message)
    assert b"".join(message.body) == b"body"
    assert (message.message_id, message.subject, message.content_type) == ("id", "subject", "application/json")
    assert (message.correlation_id, message.to, message.reply_to) == ("corr", "to", "reply")
    assert message.time_to_live == dt.timedelta(minutes=5)
    found = {k.decode(): v for k, v in message.application_properties.items()}
    assert found.pop("s") == "ü".encode()
    assert found.pop("t") in (stamp, int(stamp.timestamp() * 1000))
    assert found == {k: v for k, v in application.items() if k not in "st"}
    assert message.delivery_count == 0
    assert message.sequence_number
    assert abs((message.enqueued_time_utc - now(bus)).total_seconds()) < 60


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (AmqpMessageBodyType.DATA, {"data_body": [b"a", b"b"]}),
        (AmqpMessageBodyType.VALUE, {"value_body": {b"k": [1, b"x"]}}),
        (AmqpMessageBodyType.SEQUENCE, {"sequence_body": [[1, b"a"], [2]]}),
    ],
)
def test_every_kind_of_body(bus, sender, receiver, kind, body):
    """S-37: data sections, a value and sequences round-trip, with footer and delivery annotations."""
    sender.send_messages(AmqpAnnotatedMessage(**body, footer={"f": 1}, delivery_annotations={"d": 2}))
    (message,) = receive(receiver)
    token = message.lock_token
    receiver.complete_message(message)
    raw = message.raw_amqp_message
    assert raw.body_type == kind
    assert list(raw.body) == next(iter(body.values())) if kind != AmqpMessageBodyType.VALUE else raw.body
    assert raw.footer == {b"f": 1}
    assert raw.delivery_annotations == {b"d": 2, b"x-opt-lock-token": token}


def test_decimals_come_back(sender, receiver):
    """S-36: the SDK reads decimals in the service's form only, and drops what it cannot read."""
    sent = {"a": Decimal("1.2345"), "b": Decimal(-7), "c": Decimal("1E+3")}
    sender.send_messages(ServiceBusMessage(b"x", application_properties=sent))
    (message,) = receive(receiver)
    receiver.complete_message(message)
    assert message.application_properties == {key.encode(): value for key, value in sent.items()}


def test_settlements_reach_the_broker(bus, sender, receiver, dead_receiver):
    """S-41, S-42: complete, abandon, dead-letter and defer are confirmed, and do what they say."""
    sender.send_messages([ServiceBusMessage(b"%d" % n, message_id=str(n)) for n in range(4)])
    done, given, dead, later = receive(receiver, 4)
    receiver.complete_message(done)
    receiver.dead_letter_message(dead, reason="why", error_description="words")
    receiver.defer_message(later)
    receiver.abandon_message(given)
    (again,) = receive(receiver)
    assert (again.message_id, again.delivery_count) == ("1", 1)
    receiver.complete_message(again)
    (found,) = receive(dead_receiver)
    assert (found.dead_letter_reason, found.dead_letter_error_description) == ("why", "words")
    dead_receiver.complete_message(found)
    (deferred,) = receiver.receive_deferred_messages([later.sequence_number])
    assert deferred.message_id == "3"
    receiver.complete_message(deferred)
    assert sorted(set(events(bus))) == sorted(
        ["enqueued", "delivered", "completed", "dead_lettered", "deferred", "abandoned"]
    )
    assert bus.entities()[0]["active"] == 0


def test_settling_twice_is_refused(bus, sender, receiver):
    """S-44: the SDK itself knows a settled message."""
    sender.send_messages(ServiceBusMessage(b"x"))
    (message,) = receive(receiver)
    receiver.complete_message(message)
    with pytest.raises(MessageAlreadySettled):
        receiver.complete_message(message)


def test_max_delivery_count(bus, sender, receiver, dead_receiver):
    """S-49: three abandons on a queue of three deliveries, then the DLQ with Service Bus's reason."""
    sender.send_messages(ServiceBusMessage(b"x", message_id="m"))
    for count in range(3):
        (message,) = receive(receiver)
        assert message.delivery_count == count
        receiver.abandon_message(message)
    (dead,) = receive(dead_receiver)
    assert dead.dead_letter_reason == "MaxDeliveryCountExceeded"
    assert dead.dead_letter_error_description == "Message could not be consumed after 3 delivery attempts."
    dead_receiver.complete_message(dead)


def test_lost_lock(bus, sender, receiver):
    """S-44, S-46: settling after the lock ran out raises MessageLockLostError where settlements are confirmed."""
    sender.send_messages(ServiceBusMessage(b"x"))
    (message,) = receive(receiver)
    bus.advance(31)
    with pytest.raises((MessageLockLostError, ServiceBusError)):
        receiver.renew_message_lock(message)
    (again,) = receive(receiver)
    assert again.delivery_count == 1
    receiver.complete_message(again)


def test_renew_lock(bus, sender, receiver):
    """S-47: renew-lock moves locked-until, and the message stays ours."""
    sender.send_messages(ServiceBusMessage(b"x"))
    (message,) = receive(receiver)
    before = message.locked_until_utc
    bus.advance(20)
    assert receiver.renew_message_lock(message) > before
    bus.advance(20)
    receiver.complete_message(message)
    assert events(bus)[-2:] == ["renewed", "completed"]


@pytest.mark.skipif(
    _version.VERSION < "7.15", reason="before 7.15 the SDK does not wait for the outcome, nor see the loss"
)
def test_lock_survives_the_connection(bus):
    """S-39, S-46: after a lost connection the message settles by its token over $management."""

    def cut(server):
        for peer in list(server.context.connections.amqp):
            if any(consumer.connection is peer for consumer in server.namespace.entity("cut").dispatch.consumers):
                peer.abort()

    with Client(bus.connection_string()) as raw:
        raw.send("cut", [OutgoingMessage(b"x")])
    client = ServiceBusClient.from_connection_string(bus.connection_string(), retry_backoff_factor=0.01)
    with client, client.get_queue_receiver("cut", max_wait_time=5) as own:
        (message,) = receive(own)
        bus.call(cut)
        assert next(q for q in bus.entities() if q["name"] == "cut")["locked"] == 1
        own.complete_message(message)
    assert events(bus, "cut")[-1] == "completed"
    del own, message, client
    gc.collect()  # of the socket that the SDK lost nothing is left to warn of


def test_peek(bus, sender, receiver):
    """S-55: peek tells state and order, and takes no lock."""
    at = now(bus) + dt.timedelta(hours=1)
    sender.send_messages([ServiceBusMessage(b"a"), ServiceBusMessage(b"b")])
    numbers = sender.schedule_messages(ServiceBusMessage(b"s"), at)
    first, second = receive(receiver, 2)
    receiver.defer_message(first)
    found = receiver.peek_messages(max_message_count=10, sequence_number=first.sequence_number)
    states = [ServiceBusMessageState.DEFERRED, ServiceBusMessageState.ACTIVE, ServiceBusMessageState.SCHEDULED]
    assert [message.state for message in found] == states
    assert found[2].scheduled_enqueue_time_utc == at.replace(microsecond=at.microsecond // 1000 * 1000)
    with pytest.raises(ValueError, match=r"lock|peek|settle|receive"):
        receiver.complete_message(found[1])
    receiver.complete_message(second)
    sender.cancel_scheduled_messages(numbers)


def test_peek_of_an_empty_queue(bus, receiver):
    """S-28: nothing to peek is 204, an empty list."""
    assert receiver.peek_messages(sequence_number=10**9) == []


def test_schedule_and_cancel(bus, sender, receiver):
    """S-54: scheduled messages come at their time; cancelled ones never; too late is MessageNotFoundError."""
    at = now(bus) + dt.timedelta(seconds=60)
    keep, drop = sender.schedule_messages([ServiceBusMessage(b"keep"), ServiceBusMessage(b"drop")], at)
    sender.cancel_scheduled_messages(drop)
    bus.advance(61)
    (message,) = receive(receiver)
    assert b"".join(message.body) == b"keep"
    assert message.sequence_number > drop
    assert message.enqueued_time_utc >= at.replace(microsecond=0)
    receiver.complete_message(message)
    with pytest.raises((MessageNotFoundError, ServiceBusError)):
        sender.cancel_scheduled_messages(keep)


def test_deferred_messages_of_unknown_numbers(bus, receiver):
    """S-28: an unknown sequence number is message-not-found."""
    with pytest.raises((MessageNotFoundError, ServiceBusError), match=r"not exist|not-found|not found"):
        receiver.receive_deferred_messages([123_456])


def test_batch_is_all_its_messages(bus, sender, receiver):
    """S-65: a batch arrives as its messages, in order, each with its own properties."""
    batch = sender.create_message_batch()
    for number in range(20):
        batch.add_message(
            ServiceBusMessage(b"%d" % number, message_id=str(number), application_properties={"n": number})
        )
    sender.send_messages(batch)
    messages = receive(receiver, 20)
    assert [message.application_properties[b"n"] for message in messages] == list(range(20))
    assert [message.message_id for message in messages] == [str(number) for number in range(20)]
    for message in messages:
        receiver.complete_message(message)


def test_sizes(bus, sender, receiver):
    """S-64, S-18: 250 KiB pass in several transfers; 256 KiB are refused at once."""
    body = bytes(range(256)) * 1000
    sender.send_messages(ServiceBusMessage(body))
    (message,) = receive(receiver)
    assert b"".join(message.body) == body
    receiver.complete_message(message)
    with pytest.raises(MessageSizeExceededError):
        sender.send_messages(ServiceBusMessage(b"x" * 256 * 1024))


def test_receive_and_delete(bus, client, deleter):
    """S-40: receive-and-delete leaves nothing behind and takes no lock."""
    with client.get_queue_sender("other") as own:
        own.send_messages([ServiceBusMessage(b"a"), ServiceBusMessage(b"b")])
    messages = receive(deleter, 2)
    assert [b"".join(m.body) for m in messages] == [b"a", b"b"]
    assert events(bus, "other") == ["enqueued"] * 2 + ["received_and_deleted"] * 2


def test_duplicates(bus, client):
    """S-57: a duplicate is accepted from the sender and dropped, also inside a batch."""
    with client.get_queue_sender("dups") as own:
        own.send_messages([ServiceBusMessage(b"1", message_id="a"), ServiceBusMessage(b"2", message_id="a")])
        own.send_messages(ServiceBusMessage(b"3", message_id="a"))
    assert events(bus, "dups") == ["enqueued", "duplicate_dropped", "duplicate_dropped"]


def test_message_without_id_gets_one(bus, sender, receiver):
    """Part B: the broker fills the message-id in."""
    sender.send_messages(ServiceBusMessage(b"x"))
    (message,) = receive(receiver)
    assert message.message_id
    receiver.complete_message(message)


def test_annotated_sequence_of_dead_letters(bus, sender, receiver, dead_receiver):
    """S-32, S-51: a dead-lettered message keeps its properties and tells its original sequence number."""
    sender.send_messages(ServiceBusMessage(b"x", application_properties={"k": "v"}))
    (message,) = receive(receiver)
    receiver.dead_letter_message(message, reason="r")
    (dead,) = receive(dead_receiver)
    assert dead.application_properties[b"k"] == b"v"
    assert dead.enqueued_sequence_number == message.sequence_number
    dead_receiver.complete_message(dead)


def test_closing_a_receiver_releases_what_it_prefetched(bus, client, sender):
    """S-13, S-42: messages that the SDK buffered and gives back are not counted as deliveries."""
    with client.get_queue_sender("buffered") as own:
        own.send_messages([ServiceBusMessage(b"%d" % n) for n in range(5)])
    with client.get_queue_receiver("buffered", prefetch_count=5, max_wait_time=5) as first:
        (message,) = first.receive_messages(max_message_count=1)
        first.complete_message(message)
    with Client(bus.connection_string()) as raw:
        bus.advance(61)
        left = raw.receive("buffered", 10, wait=5)
        assert len(left) == 4
        for item in left:
            raw.complete(item)


def test_missing_entity(bus, client):
    """S-22: a missing entity is told by $cbs with 404, before any link is asked for."""
    with pytest.raises((ServiceBusAuthenticationError, MessagingEntityNotFoundError)):
        client.get_queue_sender("nope").send_messages(ServiceBusMessage(b"x"))


def test_bad_key(bus):
    """S-22, S-25: a wrong key is an authentication error, and nothing is sent."""
    text = bus.connection_string().replace("SAS_KEY_VALUE", "wrong")
    with (
        ServiceBusClient.from_connection_string(text, retry_total=0) as client,
        pytest.raises(ServiceBusAuthenticationError),
    ):
        send_once(client, "plain")
    assert events(bus) == []


def test_missing_rights(bus):
    """S-23: Listen cannot send and Send cannot receive: the link is detached with unauthorized-access."""
    with (
        ServiceBusClient.from_connection_string(bus.connection_string("listener"), retry_total=0) as client,
        pytest.raises(ServiceBusAuthorizationError, match="Send"),
    ):
        send_once(client, "plain")
    with (
        ServiceBusClient.from_connection_string(bus.connection_string("sender"), retry_total=0) as client,
        pytest.raises(ServiceBusAuthorizationError, match="Listen"),
    ):
        receive_once(client)


def test_entity_rule_opens_only_its_entity(bus):
    """S-23, S-25: a rule of one queue is worth nothing on another."""
    with ServiceBusClient.from_connection_string(bus.connection_string("guard"), retry_total=0) as client:
        with client.get_queue_sender("guarded") as own:
            own.send_messages(ServiceBusMessage(b"x"))
        with pytest.raises(ServiceBusAuthenticationError):
            send_once(client, "plain")
    assert events(bus, "guarded") == ["enqueued"]


def test_session_receiver_on_a_plain_queue(bus, client):
    """S-60: a session receiver on a queue without sessions is not allowed."""
    with pytest.raises(ServiceBusError, match="session"):
        receive_once(client, session_id="s")


def test_waiting_receiver_is_woken(bus, sender, receiver):
    """A receiver that waits gets a message from another client at once."""
    with Client(bus.connection_string()) as raw:
        raw.send("plain", [OutgoingMessage(b"from outside", subject="s")])
    (message,) = receive(receiver)
    assert (b"".join(message.body), message.subject) == (b"from outside", "s")
    receiver.complete_message(message)
