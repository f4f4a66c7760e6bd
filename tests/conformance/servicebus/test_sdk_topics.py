"""The real SDK on topics and subscriptions, unpatched; rules through raw $management requests, as the SDK has none."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage, ServiceBusReceiveMode, ServiceBusSubQueue
from azure.servicebus.aio import ServiceBusClient as AioServiceBusClient
from azure.servicebus.exceptions import (
    MessagingEntityDisabledError,
    MessagingEntityNotFoundError,
    ServiceBusAuthenticationError,
    ServiceBusAuthorizationError,
    ServiceBusError,
)

from peeklock.servicebus import (
    AccessRule,
    Client,
    Emulator,
    OutgoingMessage,
    Queue,
    Rule,
    Subscription,
    Topic,
    Topology,
)
from peeklock.servicebus import ServiceBusError as BlockingError
from peeklock.servicebus.amqp.encode import encode
from peeklock.servicebus.broker.rules import Rule as BrokerRule

TOPICS = {
    "news": Topic(
        subscriptions={
            "all": Subscription(max_delivery_count=3, lock_duration=30),
            "red": Subscription(rules={"red": Rule(sql="color = 'red'")}),
            "changed": Subscription(
                rules={"r": Rule(correlation={"subject": "change"}, action="SET color = 'blue'; SET sys.To = 'you'")}
            ),
            "strict": Subscription(rules={"bad": Rule(sql="sys.Nope = 1")}),
            "onward": Subscription(forward_to="out", rules={"f": Rule(correlation={"subject": "onward"})}),
        }
    ),
    "closed": Topic(subscriptions={"s": Subscription()}, status="Disabled"),
    "ruled": Topic(subscriptions={"s": Subscription(), "off": Subscription(status="Disabled")}),
}
QUEUES = {
    "in": Queue(forward_to="news"),
    "out": Queue(),
    "dying": Queue(forward_dead_lettered_messages_to="out"),
}
RULES = (
    AccessRule(),
    AccessRule("topic-send", "k1", ("Send",), "news"),
    AccessRule("sub-listen", "k2", ("Listen",), "news/Subscriptions/all"),
)


@pytest.fixture(scope="module")
def shared():
    with Emulator(Topology(queues=QUEUES, topics=TOPICS, access_rules=RULES)) as emulator:
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
    with client.get_topic_sender("news") as sender:
        yield sender


@pytest.fixture(scope="module")
def receiver(client):
    with client.get_subscription_receiver("news", "all", max_wait_time=5) as receiver:
        yield receiver


def one(receiver):
    (message,) = receiver.receive_messages(max_message_count=1, max_wait_time=5)
    return message


def drained(client, subscription, **options):
    """Receive and delete what is there."""
    mode = ServiceBusReceiveMode.RECEIVE_AND_DELETE
    with client.get_subscription_receiver("news", subscription, receive_mode=mode, **options) as receiver:
        return receiver.receive_messages(max_message_count=10, max_wait_time=1)


def held(bus, subscription):
    path = f"news/Subscriptions/{subscription}"
    return [m.content.message_id for m in bus.call(lambda s: s.namespace.entity(path).peek(1, 99))]


def test_what_is_sent_to_a_topic_comes_out_of_its_subscriptions(bus, client, sender, receiver):
    """S-53, S-69: copies by rules, with fresh sequence numbers; batches too."""
    sender.send_messages(ServiceBusMessage(b"1", message_id="1"))
    batch = sender.create_message_batch()
    for color in ("red", "green"):
        batch.add_message(ServiceBusMessage(color.encode(), message_id=color, application_properties={"color": color}))
    sender.send_messages(batch)
    messages = receiver.receive_messages(max_message_count=3, max_wait_time=5)
    while len(messages) < 3:
        messages += receiver.receive_messages(max_message_count=3, max_wait_time=5)
    assert [m.message_id for m in messages] == ["1", "red", "green"]
    assert [m.delivery_count for m in messages] == [0, 0, 0]
    for message in messages:
        receiver.complete_message(message)
    (red,) = drained(client, "red")
    assert (red.message_id, str(red), red.enqueued_sequence_number) == (
        "red",
        "red",
        messages[1].enqueued_sequence_number,
    )
    assert held(bus, "all") == []


def test_actions_change_their_copy(bus, client, sender):
    """S-70, S-72: a correlation filter, and an action on user and system properties; RuleName is told (S-69)."""
    sender.send_messages(ServiceBusMessage(b"x", subject="change", application_properties={"color": "red", "n": 5}))
    sender.send_messages(ServiceBusMessage(b"y", subject="Change"))
    (found,) = drained(client, "changed")
    assert found.application_properties == {b"color": b"blue", b"n": 5, b"RuleName": b"r"}
    assert found.to == "you"


def test_subscriptions_have_locks_and_dead_letters(bus, client, sender, receiver):
    """S-49, S-51: settle, abandon, defer, dead-letter and peek on a subscription; its DLQ by the SDK's sub_queue."""
    sender.send_messages([ServiceBusMessage(b"a", message_id="a"), ServiceBusMessage(b"b", message_id="b")])
    assert [m.message_id for m in receiver.peek_messages(max_message_count=5)] == ["a", "b"]
    first = one(receiver)
    receiver.abandon_message(first)
    again = one(receiver)
    assert (again.message_id, again.delivery_count) == ("a", 1)
    receiver.renew_message_lock(again)
    receiver.dead_letter_message(again, reason="why", error_description="because")
    second = one(receiver)
    receiver.defer_message(second)
    (deferred,) = receiver.receive_deferred_messages(second.sequence_number)
    receiver.complete_message(deferred)
    (dead,) = drained(client, "all", sub_queue=ServiceBusSubQueue.DEAD_LETTER)
    assert (dead.message_id, dead.dead_letter_reason, dead.dead_letter_error_description) == ("a", "why", "because")
    events = [e.event for e in bus.ledger.entries(after=bus.start) if e.entity == "news/Subscriptions/all"]
    assert events == ["enqueued", "enqueued", "delivered", "abandoned", "delivered", "renewed", "dead_lettered",
                      "delivered", "deferred", "delivered", "completed"]  # fmt: skip


def test_scheduling_on_a_topic(bus, sender, receiver):
    """S-54: a sequence number of the topic, by which it can be cancelled; the others arrive in their time."""
    at = datetime.now(UTC) + timedelta(seconds=60)
    one_number, two = sender.schedule_messages([ServiceBusMessage(b"1", message_id="1"), ServiceBusMessage(b"2")], at)
    sender.cancel_scheduled_messages(two)
    assert bus.topics()[0]["scheduled"] == 1
    bus.advance(61)
    message = one(receiver)
    receiver.complete_message(message)
    assert (message.message_id, message.enqueued_sequence_number > one_number) == ("1", True)


def test_filter_exceptions_are_dead_lettered(bus, client, sender):
    """S-52, S-71: reason FilterException."""
    sender.send_messages(ServiceBusMessage(b"x", message_id="x"))
    (dead,) = drained(client, "strict", sub_queue=ServiceBusSubQueue.DEAD_LETTER)
    assert dead.dead_letter_reason == "FilterException"
    assert "sys.nope" in dead.dead_letter_error_description


def test_forwarding(bus, client):
    """S-67, S-68: queue to topic to subscription to queue; dead letters with x-opt-deadletter-source."""
    with client.get_queue_sender("in") as into:
        into.send_messages(ServiceBusMessage(b"x", message_id="x", subject="onward"))
    with client.get_queue_receiver("out", max_wait_time=5) as out:
        message = one(out)
        assert (message.message_id, message.enqueued_sequence_number is not None) == ("x", True)
        out.complete_message(message)
        with client.get_queue_sender("dying") as dying, client.get_queue_receiver("dying") as sick:
            dying.send_messages(ServiceBusMessage(b"d", message_id="d"))
            sick.dead_letter_message(one(sick), reason="r")
        dead = one(out)
        assert (dead.message_id, dead.dead_letter_source, dead.dead_letter_reason) == ("d", "dying", "r")
        out.complete_message(dead)


def test_what_cannot_be_attached(bus, client):
    """S-51, S-60, S-67, S-77: receivers on forwarding and disabled entities, senders on disabled topics, missing ones."""
    with pytest.raises(ServiceBusError, match="forwards its messages to 'news'"):
        client.get_queue_receiver("in").receive_messages(max_wait_time=1)
    with pytest.raises(MessagingEntityDisabledError):
        client.get_subscription_receiver("ruled", "off").receive_messages(max_wait_time=1)
    with pytest.raises(MessagingEntityDisabledError):
        client.get_topic_sender("closed").send_messages(ServiceBusMessage(b"x"))
    with pytest.raises((MessagingEntityNotFoundError, ServiceBusAuthenticationError)):
        client.get_subscription_receiver("news", "nope").receive_messages(max_wait_time=1)
    with pytest.raises(ServiceBusError, match="receive from a topic"):
        client.get_queue_receiver("news").receive_messages(max_wait_time=1)


def test_disabling_detaches_receivers(bus, client):
    """S-77: an open receiver is detached with entity-disabled; the topic still takes messages for the subscription."""
    with Client(bus.connection_string()) as blocking:
        assert blocking.receive("ruled/Subscriptions/s", 1, 0.0) == []
        bus.set_status("ruled/Subscriptions/s", "ReceiveDisabled")
        try:
            blocking.send("ruled", [OutgoingMessage(b"x", message_id="kept")])
            with pytest.raises(BlockingError) as caught:
                blocking.receive("ruled/Subscriptions/s", 1, 1.0)
            assert caught.value.condition == "com.microsoft:entity-disabled"
        finally:
            bus.set_status("ruled/Subscriptions/s", "Active")
        (message,) = blocking.receive("ruled/Subscriptions/s", 1, 5.0)
        assert message.message_id == "kept"
        blocking.complete(message)


def test_rights_on_topics_and_subscriptions(bus):
    """S-23, S-25: a rule on a topic reaches its subscriptions; one on a subscription does not reach the topic."""
    with ServiceBusClient.from_connection_string(bus.connection_string("topic-send"), retry_total=0) as sends:
        with sends.get_topic_sender("news") as sender:
            sender.send_messages(ServiceBusMessage(b"x", message_id="x"))
        with pytest.raises(ServiceBusAuthorizationError):
            sends.get_subscription_receiver("news", "all").receive_messages(max_wait_time=1)
    with ServiceBusClient.from_connection_string(bus.connection_string("sub-listen"), retry_total=0) as listens:
        with listens.get_subscription_receiver("news", "all") as receiver:
            message = one(receiver)
            receiver.complete_message(message)
        with pytest.raises(ServiceBusAuthenticationError):
            listens.get_subscription_receiver("news", "red").receive_messages(max_wait_time=1)


def test_aio(bus):
    """S-69: the same through the SDK's asyncio client."""

    async def talk():
        async with AioServiceBusClient.from_connection_string(bus.connection_string(), retry_total=0) as client:
            async with client.get_topic_sender("news") as sender:
                await sender.send_messages(ServiceBusMessage(b"x", message_id="x"))
            async with client.get_subscription_receiver("news", "all", max_wait_time=5) as receiver:
                (message,) = await receiver.receive_messages(max_wait_time=5)
                await receiver.complete_message(message)
                return message.message_id

    assert asyncio.run(talk()) == "x"


class RuleManager:
    """add-rule, remove-rule and enumerate-rules as clients send them."""

    def __init__(self, blocking, path):
        self.path = path
        self.channel = blocking._ready(path)

    def ask(self, operation, **arguments):
        fields = {"operation": f"com.microsoft:{operation}", "type": "entity-mgmt"}
        body = encode({name.replace("_", "-"): value for name, value in arguments.items()})
        codes = ("statusCode", "statusDescription")
        return self.channel.request(f"{self.path}/$management", fields, body, codes=codes)

    def names(self, **page):
        status, body = self.ask("enumerate-rules", **page)
        return [rule["rule-description"].value[2] for rule in body["rules"]] if status == 200 else []


@pytest.fixture
def ruler(bus):
    """The rules of one subscription, which begins with $Default whatever another test did."""
    fresh = BrokerRule("$Default")
    fresh.created_at = bus.call(lambda server: server.namespace.clock.now())
    bus.call(lambda server: server.namespace.subscription("ruled/Subscriptions/s").rules.clear())
    bus.call(lambda server: server.namespace.subscription("ruled/Subscriptions/s").add_rule(fresh))
    with Client(bus.connection_string()) as blocking:
        yield RuleManager(blocking, "ruled/Subscriptions/s")


def test_rules_over_management(bus, ruler):
    """S-28: add-rule, enumerate-rules with the descriptor codes that clients look for, remove-rule; 409 and 404."""
    assert ruler.names() == ["$Default"]
    ruler.ask("add-rule", rule_name="b", rule_description={"sql-filter": {"expression": "a = 1"}})
    ruler.ask(
        "add-rule",
        rule_name="a",
        rule_description={
            "correlation-filter": {"label": "L", "correlation-id": None, "properties": {"k": "v"}},
            "sql-rule-action": {"expression": "SET n = 1"},
        },
    )
    status, body = ruler.ask("enumerate-rules", skip=0, top=100)
    assert status == 200
    found = [entry["rule-description"] for entry in body["rules"]]
    assert [rule.descriptor for rule in found] == [0x13700000004] * 3
    shown = {rule.value[2]: (rule.value[0].descriptor, rule.value[0].value, rule.value[1].descriptor) for rule in found}
    assert list(shown) == ["$Default", "a", "b"]
    assert shown["$Default"] == (0x1370000007, [], 0x13700000005)
    assert shown["b"] == (0x1370000006, ["a = 1", 20], 0x13700000005)
    fields = [None, None, None, None, "L", None, None, None, {"k": "v"}]
    assert shown["a"] == (0x1370000009, fields, 0x13700000006)
    assert found[1].value[1].value == ["SET n = 1", 20]
    assert abs(found[1].value[3] / 1000 - bus.call(lambda s: s.namespace.clock.now())) < 60
    assert ruler.names(skip=1, top=1) == ["a"]
    with pytest.raises(BlockingError) as caught:
        ruler.ask("add-rule", rule_name="A", rule_description={"sql-filter": {"expression": "1=1"}})
    assert caught.value.condition == "com.microsoft:entity-already-exists"
    for name in ("a", "b"):
        ruler.ask("remove-rule", rule_name=name)
    with pytest.raises(BlockingError) as caught:
        ruler.ask("remove-rule", rule_name="a")
    assert caught.value.condition == "amqp:not-found"
    assert ruler.names() == ["$Default"]


def test_added_rules_decide(bus, ruler):
    """S-28, S-69: rules count for what is sent after them; without any rule there are no messages and 204 is told."""
    ruler.ask("remove-rule", rule_name="$Default")
    try:
        assert ruler.names() == []
        ruler.ask("add-rule", rule_name="hot", rule_description={"sql-filter": {"expression": "degrees > 30"}})
        with Client(bus.connection_string()) as blocking:
            for degrees in (20, 40):
                message = OutgoingMessage(message_id=str(degrees), application_properties={"degrees": degrees})
                blocking.send("ruled", [message])
            assert [m.message_id for m in blocking.peek("ruled/Subscriptions/s")] == ["40"]
        ruler.ask("remove-rule", rule_name="hot")
    finally:
        ruler.ask("add-rule", rule_name="$Default", rule_description={"sql-filter": {"expression": "1=1"}})


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"rule_name": "x", "rule_description": {"sql-filter": {"expression": "a ="}}}, "line 1, column 4"),
        ({"rule_name": "x", "rule_description": {"correlation-filter": {}}}, "has no condition"),
        ({"rule_name": "x", "rule_description": {"correlation-filter": {"colour": "r"}}}, "no field 'colour'"),
        ({"rule_name": "x", "rule_description": {}}, "needs 'sql-filter' or 'correlation-filter'"),
        ({"rule_name": "x"}, "needs 'rule-description'"),
        ({"rule_description": {"sql-filter": {"expression": "1=1"}}}, "needs 'rule-name'"),
        ({"rule_name": "a/b", "rule_description": {"sql-filter": {"expression": "1=1"}}}, "is not allowed"),
    ],
)
def test_wrong_rules_are_refused(ruler, arguments, words):
    """S-28, S-30, S-73: 400 com.microsoft:argument-error, with the place and the remedy."""
    with pytest.raises(BlockingError) as caught:
        ruler.ask("add-rule", **arguments)
    assert caught.value.condition == "com.microsoft:argument-error"
    assert words in caught.value.description
    assert ruler.names() == ["$Default"]
