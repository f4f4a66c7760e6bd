"""The broker's rules for topics and subscriptions, with a clock that is moved by hand."""

from __future__ import annotations

import pytest

from peeklock.servicebus import ManualClock, OutgoingMessage, Queue, Rule, Subscription, Topic
from peeklock.servicebus.amqp import Envelope
from peeklock.servicebus.broker import Consumer, Namespace
from peeklock.servicebus.broker.errors import (
    EntityDisabled,
    EntityExists,
    EntityNotFound,
    MessageNotFound,
    NotAllowed,
    QuotaExceeded,
)
from peeklock.servicebus.broker.rules import Rule as BrokerRule
from peeklock.servicebus.broker.topic import MAX_FILTERS, SqlFilter


def message(message_id="m", **options):
    return Envelope(OutgoingMessage(b"x" * 10, message_id=message_id, **options).encode())


class Taker(Consumer):
    """A receiver with endless credit."""

    def __init__(self, entity, *, peek_lock=True):
        super().__init__("container", "link", peek_lock=peek_lock)
        self.got = []
        entity.add_consumer(self)
        entity.wake(self)

    @property
    def ready(self):
        return True

    def deliver(self, message):
        self.got.append(message)

    @property
    def ids(self):
        return [message.content.message_id for message in self.got]


class Bench:
    """A namespace with the topic `t` and these subscriptions."""

    def __init__(self, subscriptions=None, queues=None, **settings):
        self.clock = ManualClock()
        subscriptions = {"s": Subscription()} if subscriptions is None else subscriptions
        topic = Topic(subscriptions=subscriptions, **settings)
        self.namespace = Namespace("ns", queues or {}, self.clock, topics={"t": topic})
        self.topic = self.namespace.entity("t")

    def sub(self, name="s", suffix=""):
        return self.namespace.entity(f"t/Subscriptions/{name}{suffix}")

    def send(self, *contents):
        self.topic.send([message(item) if isinstance(item, str) else item for item in contents])

    def held(self, name="s", suffix=""):
        return [m.content.message_id for m in self.sub(name, suffix).peek(1, 99)]

    def advance(self, seconds):
        self.clock.advance(seconds)
        self.namespace.run_due()

    def entries(self, **wanted):
        return [e for e in self.namespace.ledger.entries() if all(getattr(e, k) == v for k, v in wanted.items())]


def rules(**given):
    return Subscription(rules=given)


def test_every_subscription_gets_a_copy_with_its_own_numbers():
    """S-69: a new subscription has $Default, which matches everything; sequence numbers are fresh, the topic's is kept."""
    bench = Bench({"a": Subscription(), "b": rules(red=Rule(sql="color = 'red'"))})
    bench.send("1", message("2", application_properties={"color": "red"}))
    assert bench.held("a") == ["1", "2"]
    (second,) = bench.sub("b").peek(1, 9)
    assert (second.content.message_id, second.sequence, second.origin) == ("2", 1, 2)
    assert [rule.name for rule in bench.sub("a").listed_rules()] == ["$Default"]


def test_paths_have_no_case():
    """S-51: `topic/Subscriptions/sub`, its DLQ and its transfer DLQ, case-insensitive."""
    bench = Bench({"Sub": Subscription()})
    found = bench.namespace.entity("T/subscriptions/SUB")
    assert found.name == "t/Subscriptions/Sub"
    assert bench.namespace.entity("t/Subscriptions/sub/$DeadLetterQueue") is found.dead_letters
    assert bench.namespace.entity("t/Subscriptions/sub/$Transfer/$DeadLetterQueue").is_dead_letter
    for missing in ("t/Subscriptions/x", "x/Subscriptions/sub", "t/$DeadLetterQueue", "t/Subscriptions"):
        with pytest.raises(EntityNotFound, match=r"sb://ns/"):
            bench.namespace.entity(missing)


def test_rules_are_one_copy_actions_are_copies_of_their_own():
    """S-69: rules without action are OR-ed into one copy; each matching rule with an action makes its own, with RuleName."""
    bench = Bench(
        {
            "s": rules(
                all=Rule(matches=True),
                red=Rule(sql="color = 'red'"),
                one=Rule(matches=True, action="SET n = 1"),
                two=Rule(sql="color = 'red'", action="SET n = 2; REMOVE color"),
                none=Rule(matches=False, action="SET n = 3"),
            )
        }
    )
    bench.send(message("m", application_properties={"color": "red"}))
    found = [m.content.application_properties() for m in bench.sub().peek(1, 9)]
    assert found == [
        {"color": "red"},
        {"color": "red", "n": 1, "RuleName": "one"},
        {"n": 2, "RuleName": "two"},
    ]
    assert [e.details["rule"] for e in bench.entries(entity="t/Subscriptions/s")] == ["all", "one", "two"]


def test_no_rules_no_messages():
    """S-69: a subscription with zero rules gets nothing; with a rule again, what is sent from then on."""
    bench = Bench()
    bench.sub().remove_rule("$default")
    bench.send("1")
    bench.sub().add_rule(BrokerRule("New"))
    bench.send("2")
    assert bench.held() == ["2"]


def test_rule_names_are_unique_without_case():
    """S-28: 409 for a name that exists, 404 for one that does not; $Default is listed first (S-86)."""
    bench = Bench()
    bench.sub().add_rule(BrokerRule("a"))
    with pytest.raises(EntityExists, match="'A' exists"):
        bench.sub().add_rule(BrokerRule("A"))
    with pytest.raises(EntityNotFound, match="rules/nope"):
        bench.sub().remove_rule("nope")
    assert [rule.name for rule in bench.sub().listed_rules()] == ["$Default", "a"]


def test_rules_per_topic_are_limited(monkeypatch):
    """S-73: 2,000 SQL filters per topic, over all subscriptions."""
    assert MAX_FILTERS[SqlFilter] == 2_000
    monkeypatch.setitem(MAX_FILTERS, SqlFilter, 2)
    bench = Bench({"a": rules(x=Rule(sql="1=1")), "b": Subscription()})
    bench.sub("b").add_rule(BrokerRule("y", SqlFilter("1=1")))
    bench.sub("b").add_rule(BrokerRule("free"))
    with pytest.raises(QuotaExceeded, match="2 rules with a SqlFilter"):
        bench.sub("b").add_rule(BrokerRule("z", SqlFilter("1=1")))


@pytest.mark.parametrize("dead_lettering", [True, False])
def test_filter_exceptions(dead_lettering):
    """S-52, S-71: a rule that cannot be evaluated does not match; the message goes to the DLQ when that is asked for."""
    settings = Subscription(
        rules={"bad": Rule(sql="sys.Nope = 1"), "good": Rule(sql="color = 'red'")},
        dead_lettering_on_filter_evaluation_exceptions=dead_lettering,
    )
    bench = Bench({"s": settings})
    bench.send("1", message("2", application_properties={"color": "red"}))
    assert bench.held() == ["2"]
    dead = bench.sub(suffix="/$DeadLetterQueue").peek(1, 9)
    assert [m.content.message_id for m in dead] == (["1", "2"] if dead_lettering else [])
    if dead_lettering:
        properties = dead[0].content.application_properties()
        assert properties["DeadLetterReason"] == "FilterException"
        assert properties["DeadLetterErrorDescription"].startswith("Rule 'bad': The system property 'sys.nope'")


def test_unreadable_properties_are_a_filter_exception():
    """S-71: a message whose properties nobody can decode stops no other message."""
    raw = b"\x00\x53\x73\xc0\x04\x01\xa1\x01m\x00\x53\x74\xc1\x03\x02\xa1\x7f"
    bench = Bench({"s": rules(x=Rule(sql="a = 1")), "all": Subscription()})
    try:
        content = Envelope(raw)
    except ValueError:
        pytest.skip("the envelope refuses it before the broker sees it")
    bench.topic.send([content])
    assert bench.held("all") == ["m"]
    assert bench.held("s", "/$DeadLetterQueue") == ["m"]


def test_a_topic_detects_duplicates():
    """S-57: on the topic, before the subscriptions; an action's new MessageId is not looked at again (S-72)."""
    bench = Bench(
        {"s": rules(one=Rule(matches=True, action="SET sys.MessageId = 'same'"))}, duplicate_detection_window=600
    )
    bench.send("a", "a", "b")
    assert bench.held() == ["same", "same"]
    bench.advance(601)
    bench.send("a")
    assert len(bench.held()) == 3
    assert [e.event for e in bench.entries(entity="t")] == [
        "published",
        "duplicate_dropped",
        "published",
        "published",
    ]


def test_scheduled_messages_wait_on_the_topic():
    """S-54: they are fanned out when they become active, by the rules of that moment; until then they can be cancelled."""
    bench = Bench()
    at = bench.clock.now() + 60
    one, two = bench.topic.schedule([message("1"), message("2")], at)
    assert [m.state for m in bench.topic.peek(1, 9)] == ["scheduled", "scheduled"]
    bench.topic.cancel([two])
    bench.advance(61)
    assert bench.held() == ["1"]
    assert bench.sub().peek(1, 1)[0].enqueued_at == at
    with pytest.raises(MessageNotFound):
        bench.topic.cancel([one])


def test_time_to_live_is_the_least_of_three():
    """S-50: of message, topic and subscription; each copy expires for itself."""
    bench = Bench(
        {"short": Subscription(default_time_to_live=10, dead_lettering_on_expiration=True), "long": Subscription()},
        default_time_to_live=20,
    )
    bench.send(message("m", time_to_live=100))
    assert [bench.sub(name).peek(1, 1)[0].content.ttl for name in ("short", "long")] == [10, 20]
    bench.advance(11)
    assert (bench.held("short"), bench.held("long")) == ([], ["m"])
    (dead,) = bench.sub("short", "/$DeadLetterQueue").peek(1, 9)
    assert dead.content.application_properties()["DeadLetterReason"] == "TTLExpiredException"
    bench.advance(10)
    assert bench.held("long") == []


def test_a_subscription_is_a_queue():
    """S-49, S-51: locks, delivery counts and a DLQ of its own; the other subscription is not touched."""
    bench = Bench({"a": Subscription(max_delivery_count=2), "b": Subscription()})
    taker = Taker(bench.sub("a"))
    bench.send("m")
    for _ in range(2):
        bench.sub("a").abandon(taker.got[-1].token)
    assert bench.held("a") == []
    assert bench.held("a", "/$DeadLetterQueue") == bench.held("b") == ["m"]
    events = [e.event for e in bench.entries(entity="t/Subscriptions/a")]
    assert events == ["enqueued", "delivered", "abandoned", "delivered", "abandoned", "dead_lettered"]


def test_topics_are_for_senders_and_subscriptions_for_receivers():
    """S-60: receiving from a topic and sending to a subscription are not allowed."""
    bench = Bench()
    with pytest.raises(NotAllowed, match="receive from a topic"):
        bench.topic.admit_receiver()
    with pytest.raises(NotAllowed, match="send to a subscription"):
        bench.sub().send([message()])


def test_entity_status():
    """S-77: topic Disabled refuses senders; subscription Disabled refuses receivers while copies accumulate."""
    bench = Bench({"s": Subscription(status="Disabled")})
    with pytest.raises(EntityDisabled) as caught:
        bench.sub().admit_receiver()
    assert caught.value.condition == "com.microsoft:entity-disabled"
    bench.send("1")
    assert bench.held() == ["1"]
    bench.topic.set_status("Disabled")
    with pytest.raises(EntityDisabled, match="disabled for sending"):
        bench.send("2")
    bench.sub().set_status("Active")
    bench.sub().admit_receiver()
    with pytest.raises(NotAllowed, match="send to a subscription"):
        bench.sub().send([message()])


@pytest.mark.parametrize(
    ("status", "sends", "receives"),
    [
        ("Active", True, True),
        ("Disabled", False, False),
        ("SendDisabled", False, True),
        ("ReceiveDisabled", True, False),
    ],
)
def test_queue_status(status, sends, receives):
    """S-77: Disabled is SendDisabled and ReceiveDisabled; messages are kept."""
    namespace = Namespace("ns", {"q": Queue(status=status)}, ManualClock())
    queue = namespace.entity("q")
    for allowed, action in ((sends, lambda: queue.send([message()])), (receives, queue.admit_receiver)):
        if allowed:
            action()
        else:
            with pytest.raises(EntityDisabled):
                action()


def test_quota_of_a_topic_counts_a_message_once():
    """S-66: not once for each subscription."""
    bench = Bench({name: Subscription() for name in "abcd"}, max_size_in_megabytes=1)
    big = OutgoingMessage(b"x" * 250_000).encode()
    for _ in range(4):
        bench.topic.send([Envelope(big)])
    with pytest.raises(QuotaExceeded, match="for Topic: 't'"):
        bench.topic.send([Envelope(big)])


def test_session_subscriptions_bury_what_has_no_session():
    """S-52: `Session ID is null.`"""
    bench = Bench({"s": Subscription(requires_session=True)})
    bench.send("none", message("one", session_id="1"))
    assert bench.held() == ["one"]
    (dead,) = bench.sub(suffix="/$DeadLetterQueue").peek(1, 9)
    assert dead.content.application_properties()["DeadLetterReason"] == "Session ID is null."


def test_reset_empties_topics_and_subscriptions():
    """Reset: scheduled messages, copies and dead letters go; rules and receivers stay."""
    bench = Bench({"s": rules(bad=Rule(sql="sys.Nope=1"), all=Rule(matches=True))})
    bench.send("1")
    bench.topic.schedule([message("2")], bench.clock.now() + 5)
    bench.namespace.reset()
    assert bench.held() == bench.held(suffix="/$DeadLetterQueue") == []
    bench.advance(10)
    assert bench.held() == []
    bench.send("3")
    assert bench.held() == ["3"]


def test_copies_share_their_bytes():
    """A message in ten subscriptions is one body in memory."""
    bench = Bench({str(i): Subscription() for i in range(10)})
    bench.send("m")
    assert len({id(bench.sub(str(i)).peek(1, 1)[0].content._bare) for i in range(10)}) == 1
