"""Entities that go when nobody uses them, with a clock that is moved by hand (S-67, S-87)."""

from __future__ import annotations

import pytest

from peeklock.servicebus import Queue, Subscription, Topic, Topology, TopologyError

from .kit import BrokerKit, Receiver, message

TEN_MINUTES = 600.0


def gone_after(kit, seconds):
    kit.advance(seconds)
    return kit.gone


@pytest.fixture
def kit():
    return BrokerKit({"q": Queue(auto_delete_on_idle=TEN_MINUTES), "kept": Queue()})


def test_an_idle_queue_goes_with_its_messages(kit):
    """S-87: after the time that was set, and not before; the ledger says so."""
    assert gone_after(kit, 599) == []
    assert gone_after(kit, 1) == ["q"]
    assert list(kit.namespace.queues) == ["kept"]
    (told,) = kit.entries("deleted_on_idle")
    assert (told.entity, told.reason) == ("q", "nobody used it for 600 s")
    assert gone_after(kit, 10_000) == ["q"]


@pytest.mark.parametrize(
    "use",
    [
        lambda queue: queue.send([message()]),
        lambda queue: queue.intake.take_forwarded(message(), 1, 1, {}),
        lambda queue: queue.dispatch.remove(Receiver(queue)),
        lambda queue: queue.dead_letters.dispatch.remove(Receiver(queue.dead_letters)),
        lambda queue: queue.gate.touch(),
    ],
)
def test_whoever_uses_it_lets_it_live(kit, use):
    """S-87: sends, receivers (of its dead letters, too), peeks and other requests put the end off."""
    kit.advance(400)
    use(kit["q"])
    assert gone_after(kit, 400) == []
    assert gone_after(kit, 200) == ["q"]


def test_receivers_and_scheduled_messages_keep_it(kit):
    """S-87: as long as a receiver is there, or a message waits for its time, the queue is in use."""
    taker = Receiver(kit["q"])
    assert gone_after(kit, 6_000) == []
    kit["q"].dispatch.remove(taker)
    kit["q"].intake.schedule([message()], kit.clock.now() + 1_000)
    assert gone_after(kit, 999) == []
    assert gone_after(kit, 300) == []
    assert gone_after(kit, 1_000) == ["q"]


def test_what_forwards_never_goes():
    """S-67: forwarding sets AutoDeleteOnIdle to its maximum; when it ends the time runs again."""
    kit = BrokerKit({"q": Queue(auto_delete_on_idle=TEN_MINUTES, forward_to="to"), "to": Queue()})
    assert gone_after(kit, 100_000) == []
    kit.namespace.reconfigure(kit["q"], Queue(auto_delete_on_idle=TEN_MINUTES))
    assert gone_after(kit, 599) == []
    assert gone_after(kit, 1) == ["q"]


def test_new_settings_hold(kit):
    """S-87: changing an entity is a use of it; without the setting it stays."""
    kit.advance(500)
    kit.namespace.reconfigure(kit["q"], Queue(auto_delete_on_idle=900))
    assert gone_after(kit, 899) == []
    kit.namespace.reconfigure(kit["q"], Queue())
    assert gone_after(kit, 100_000) == []
    kit.namespace.add_queue("late", Queue(auto_delete_on_idle=300))
    assert gone_after(kit, 300) == ["late"]


def test_a_subscription_goes_without_receivers_whatever_its_topic_gets():
    """S-87: copies from the topic are no use of a subscription; the topic stays."""
    kit = BrokerKit(topics={"t": Topic(subscriptions={"s": Subscription(auto_delete_on_idle=TEN_MINUTES)})})
    kit.advance(400)
    kit["t"].send([message()])
    assert gone_after(kit, 200) == ["t/Subscriptions/s"]
    assert list(kit.namespace.topics) == ["t"]


def test_a_topic_is_used_with_its_subscriptions():
    """S-87: a receiver on a subscription is a use of the topic; it goes with its subscriptions."""
    kit = BrokerKit(topics={"t": Topic(auto_delete_on_idle=TEN_MINUTES, subscriptions={"s": Subscription()})})
    taker = Receiver(kit["t/Subscriptions/s"])
    assert gone_after(kit, 1_000) == []
    kit["t/Subscriptions/s"].dispatch.remove(taker)
    kit.advance(400)
    kit["t"].send([message()])
    assert gone_after(kit, 599) == []
    assert gone_after(kit, 1) == ["t", "t/Subscriptions/s"]


def test_five_minutes_are_the_least():
    """S-87: for queues, topics and subscriptions."""
    for wrong in (
        {"queues": {"q": Queue(auto_delete_on_idle=299)}},
        {"topics": {"t": Topic(auto_delete_on_idle=299)}},
        {"topics": {"t": Topic(subscriptions={"s": Subscription(auto_delete_on_idle=299)})}},
    ):
        with pytest.raises(TopologyError, match="auto_delete_on_idle is 299, expected 300"):
            Topology(**wrong)
