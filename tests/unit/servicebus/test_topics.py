"""The broker's rules for topics and subscriptions, with a clock that is moved by hand."""

from __future__ import annotations

import pytest

from peeklock.servicebus import OutgoingMessage, Rule, Subscription, Topic
from peeklock.servicebus.amqp import Envelope
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

from .kit import BrokerKit, Receiver, ids, message


def topic(subscriptions=None, queues=None, **settings):
    """A kit with a topic `t`, which has the subscription `s` unless others are given."""
    subscriptions = {"s": Subscription()} if subscriptions is None else subscriptions
    return BrokerKit(queues, {"t": Topic(subscriptions=subscriptions, **settings)})


def of(name="s", suffix=""):
    return f"t/Subscriptions/{name}{suffix}"


def rules(**given):
    return Subscription(rules=given)


def test_every_subscription_gets_a_copy_with_its_own_numbers():
    """S-69: a new subscription has $Default, which matches everything; sequence numbers are fresh, the topic's is kept."""
    kit = topic({"a": Subscription(), "b": rules(red=Rule(sql="color = 'red'"))})
    kit.send("t", "1", message("2", application_properties={"color": "red"}))
    assert kit.held(of("a")) == ["1", "2"]
    (second,) = kit[of("b")].peek(1, 9)
    assert (second.content.message_id, second.sequence, second.origin) == ("2", 1, 2)
    assert [rule.name for rule in kit[of("a")].listed_rules()] == ["$Default"]


def test_paths_have_no_case():
    """S-51: `topic/Subscriptions/sub`, its DLQ and its transfer DLQ, case-insensitive."""
    kit = topic({"Sub": Subscription()})
    found = kit.namespace.entity("T/subscriptions/SUB")
    assert found.name == "t/Subscriptions/Sub"
    assert kit.namespace.entity("t/Subscriptions/sub/$DeadLetterQueue") is found.dead_letters
    assert kit.namespace.entity("t/Subscriptions/sub/$Transfer/$DeadLetterQueue").is_dead_letter
    for missing in ("t/Subscriptions/x", "x/Subscriptions/sub", "t/$DeadLetterQueue", "t/Subscriptions"):
        with pytest.raises(EntityNotFound, match=r"sb://ns/"):
            kit.namespace.entity(missing)


def test_rules_are_one_copy_actions_are_copies_of_their_own():
    """S-69: rules without action are OR-ed into one copy; each matching rule with an action makes its own, with RuleName."""
    kit = topic(
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
    kit.send("t", message("m", application_properties={"color": "red"}))
    found = [m.content.application_properties() for m in kit[of()].peek(1, 9)]
    assert found == [
        {"color": "red"},
        {"color": "red", "n": 1, "RuleName": "one"},
        {"n": 2, "RuleName": "two"},
    ]
    assert [e.details["rule"] for e in kit.entries(entity=of())] == ["all", "one", "two"]


def test_no_rules_no_messages():
    """S-69: a subscription with zero rules gets nothing; with a rule again, what is sent from then on."""
    kit = topic()
    kit[of()].remove_rule("$default")
    kit.send("t", "1")
    kit[of()].add_rule(BrokerRule("New"))
    kit.send("t", "2")
    assert kit.held(of()) == ["2"]


def test_rule_names_are_unique_without_case():
    """S-28: 409 for a name that exists, 404 for one that does not; $Default is listed first (S-86)."""
    kit = topic()
    kit[of()].add_rule(BrokerRule("a"))
    with pytest.raises(EntityExists, match="'A' exists"):
        kit[of()].add_rule(BrokerRule("A"))
    with pytest.raises(EntityNotFound, match="rules/nope"):
        kit[of()].remove_rule("nope")
    assert [rule.name for rule in kit[of()].listed_rules()] == ["$Default", "a"]


def test_rules_per_topic_are_limited(monkeypatch):
    """S-73: 2,000 SQL filters per topic, over all subscriptions."""
    assert MAX_FILTERS[SqlFilter] == 2_000
    monkeypatch.setitem(MAX_FILTERS, SqlFilter, 2)
    kit = topic({"a": rules(x=Rule(sql="1=1")), "b": Subscription()})
    kit[of("b")].add_rule(BrokerRule("y", SqlFilter("1=1")))
    kit[of("b")].add_rule(BrokerRule("free"))
    with pytest.raises(QuotaExceeded, match="2 rules with a SqlFilter"):
        kit[of("b")].add_rule(BrokerRule("z", SqlFilter("1=1")))


@pytest.mark.parametrize("dead_lettering", [True, False])
def test_filter_exceptions(dead_lettering):
    """S-52, S-71: a rule that cannot be evaluated does not match; the message goes to the DLQ when that is asked for."""
    settings = Subscription(
        rules={"bad": Rule(sql="sys.Nope = 1"), "good": Rule(sql="color = 'red'")},
        dead_lettering_on_filter_evaluation_exceptions=dead_lettering,
    )
    kit = topic({"s": settings})
    kit.send("t", "1", message("2", application_properties={"color": "red"}))
    assert kit.held(of()) == ["2"]
    dead = kit[of(suffix="/$DeadLetterQueue")].peek(1, 9)
    assert ids(dead) == (["1", "2"] if dead_lettering else [])
    if dead_lettering:
        properties = dead[0].content.application_properties()
        assert properties["DeadLetterReason"] == "FilterException"
        assert properties["DeadLetterErrorDescription"].startswith("Rule 'bad': The system property 'sys.nope'")


def test_unreadable_properties_are_a_filter_exception():
    """S-71: a message whose properties nobody can decode stops no other message."""
    raw = b"\x00\x53\x73\xc0\x04\x01\xa1\x01m\x00\x53\x74\xc1\x03\x02\xa1\x7f"
    kit = topic({"s": rules(x=Rule(sql="a = 1")), "all": Subscription()})
    try:
        content = Envelope(raw)
    except ValueError:
        pytest.skip("the envelope refuses it before the broker sees it")
    kit["t"].send([content])
    assert kit.held(of("all")) == ["m"]
    assert kit.held(of("s", "/$DeadLetterQueue")) == ["m"]


def test_a_topic_detects_duplicates():
    """S-57: on the topic, before the subscriptions; an action's new MessageId is not looked at again (S-72)."""
    kit = topic(
        {"s": rules(one=Rule(matches=True, action="SET sys.MessageId = 'same'"))}, duplicate_detection_window=600
    )
    kit.send("t", "a", "a", "b")
    assert kit.held(of()) == ["same", "same"]
    kit.advance(601)
    kit.send("t", "a")
    assert len(kit.held(of())) == 3
    assert [e.event for e in kit.entries(entity="t")] == [
        "published",
        "duplicate_dropped",
        "published",
        "published",
    ]


def test_scheduled_messages_wait_on_the_topic():
    """S-54: they are fanned out when they become active, by the rules of that moment; until then they can be cancelled."""
    kit = topic()
    at = kit.clock.now() + 60
    one, two = kit["t"].intake.schedule([message("1"), message("2")], at)
    assert [m.state for m in kit["t"].peek(1, 9)] == ["scheduled", "scheduled"]
    kit["t"].intake.cancel([two])
    kit.advance(61)
    assert kit.held(of()) == ["1"]
    assert kit[of()].peek(1, 1)[0].enqueued_at == at
    with pytest.raises(MessageNotFound):
        kit["t"].intake.cancel([one])


def test_time_to_live_is_the_least_of_three():
    """S-50: of message, topic and subscription; each copy expires for itself."""
    kit = topic(
        {"short": Subscription(default_time_to_live=10, dead_lettering_on_expiration=True), "long": Subscription()},
        default_time_to_live=20,
    )
    kit.send("t", message("m", time_to_live=100))
    assert [kit[of(name)].peek(1, 1)[0].content.ttl for name in ("short", "long")] == [10, 20]
    kit.advance(11)
    assert (kit.held(of("short")), kit.held(of("long"))) == ([], ["m"])
    (dead,) = kit[of("short", "/$DeadLetterQueue")].peek(1, 9)
    assert dead.content.application_properties()["DeadLetterReason"] == "TTLExpiredException"
    kit.advance(10)
    assert kit.held(of("long")) == []


def test_a_subscription_is_a_queue():
    """S-49, S-51: locks, delivery counts and a DLQ of its own; the other subscription is not touched."""
    kit = topic({"a": Subscription(max_delivery_count=2), "b": Subscription()})
    taker = Receiver(kit[of("a")], credit=9)
    kit.send("t", "m")
    for _ in range(2):
        kit[of("a")].settlement.abandon(taker.got[-1].token)
    assert kit.held(of("a")) == []
    assert kit.held(of("a", "/$DeadLetterQueue")) == kit.held(of("b")) == ["m"]
    events = [e.event for e in kit.entries(entity=of("a"))]
    assert events == ["enqueued", "delivered", "abandoned", "delivered", "abandoned", "dead_lettered"]


def test_topics_are_for_senders_and_subscriptions_for_receivers():
    """S-60: receiving from a topic and sending to a subscription are not allowed."""
    kit = topic()
    with pytest.raises(NotAllowed, match="receive from a topic"):
        kit["t"].gate.admit_receiver()
    with pytest.raises(NotAllowed, match="send to a subscription"):
        kit[of()].send([message()])


def test_entity_status():
    """S-77: topic Disabled refuses senders; subscription Disabled refuses receivers while copies accumulate."""
    kit = topic({"s": Subscription(status="Disabled")})
    with pytest.raises(EntityDisabled) as caught:
        kit[of()].gate.admit_receiver()
    assert caught.value.condition == "com.microsoft:entity-disabled"
    kit.send("t", "1")
    assert kit.held(of()) == ["1"]
    kit["t"].gate.set_status("Disabled")
    with pytest.raises(EntityDisabled, match="disabled for sending"):
        kit.send("t", "2")
    kit[of()].gate.set_status("Active")
    kit[of()].gate.admit_receiver()
    with pytest.raises(NotAllowed, match="send to a subscription"):
        kit[of()].send([message()])


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
    queue = BrokerKit(status=status).queue
    for allowed, action in ((sends, lambda: queue.send([message()])), (receives, queue.gate.admit_receiver)):
        if allowed:
            action()
        else:
            with pytest.raises(EntityDisabled):
                action()


def test_quota_of_a_topic_counts_a_message_once():
    """S-66: not once for each subscription."""
    kit = topic({name: Subscription() for name in "abcd"}, max_size_in_megabytes=1)
    big = OutgoingMessage(b"x" * 250_000).encode()
    for _ in range(4):
        kit["t"].send([Envelope(big)])
    with pytest.raises(QuotaExceeded, match="for Topic: 't'"):
        kit["t"].send([Envelope(big)])


def test_session_subscriptions_bury_what_has_no_session():
    """S-52: `Session ID is null.`"""
    kit = topic({"s": Subscription(requires_session=True)})
    kit.send("t", "none", message("one", session_id="1"))
    assert kit.held(of()) == ["one"]
    (dead,) = kit[of(suffix="/$DeadLetterQueue")].peek(1, 9)
    assert dead.content.application_properties()["DeadLetterReason"] == "Session ID is null."


def test_reset_empties_topics_and_subscriptions():
    """Reset: scheduled messages, copies and dead letters go; rules and receivers stay."""
    kit = topic({"s": rules(bad=Rule(sql="sys.Nope=1"), all=Rule(matches=True))})
    kit.send("t", "1")
    kit["t"].intake.schedule([message("2")], kit.clock.now() + 5)
    kit.namespace.reset()
    assert kit.held(of()) == kit.held(of(suffix="/$DeadLetterQueue")) == []
    kit.advance(10)
    assert kit.held(of()) == []
    kit.send("t", "3")
    assert kit.held(of()) == ["3"]


def test_copies_share_their_bytes():
    """A message in ten subscriptions is one body in memory."""
    kit = topic({str(i): Subscription() for i in range(10)})
    kit.send("t", "m")
    assert len({id(kit[of(str(i))].peek(1, 1)[0].content._bare) for i in range(10)}) == 1
