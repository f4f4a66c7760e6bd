"""Entities that go when nobody uses them, with a clock that is moved by hand (S-67, S-87)."""

from __future__ import annotations

import pytest

from peeklock.servicebus import ManualClock, OutgoingMessage, Queue, Subscription, Topic, Topology, TopologyError
from peeklock.servicebus.amqp import Envelope
from peeklock.servicebus.broker import Consumer, Namespace

TEN_MINUTES = 600.0


def message(**options):
    return Envelope(OutgoingMessage(b"x", **options).encode())


class Idler(Consumer):
    def __init__(self, queue):
        super().__init__("container", "link", peek_lock=True)
        self.queue = queue
        queue.add_consumer(self)

    ready = False


class Bench:
    def __init__(self, queues=None, topics=None):
        self.clock = ManualClock()
        self.gone = []
        self.namespace = Namespace("ns", queues or {}, self.clock, topics=topics)
        self.namespace.on_gone = lambda gone: self.gone.extend(part.name for part in gone)

    def __getitem__(self, path):
        return self.namespace.entity(path)

    def advance(self, seconds):
        self.clock.advance(seconds)
        self.namespace.run_due()
        return [name for name in self.gone if not name.endswith("deadletterqueue")]


@pytest.fixture
def bench():
    return Bench({"q": Queue(auto_delete_on_idle=TEN_MINUTES), "kept": Queue()})


def test_an_idle_queue_goes_with_its_messages(bench):
    """S-87: after the time that was set, and not before; the ledger says so."""
    assert bench.advance(599) == []
    assert bench.advance(1) == ["q"]
    assert list(bench.namespace.queues) == ["kept"]
    (told,) = [e for e in bench.namespace.ledger.entries() if e.event == "deleted_on_idle"]
    assert (told.entity, told.reason) == ("q", "nobody used it for 600 s")
    assert bench.advance(10_000) == ["q"]


@pytest.mark.parametrize(
    "use",
    [
        lambda queue: queue.send([message()]),
        lambda queue: queue.take_forwarded(message(), 1, 1, {}),
        lambda queue: queue.remove_consumer(Idler(queue)),
        lambda queue: queue.dead_letters.remove_consumer(Idler(queue.dead_letters)),
        lambda queue: queue.touch(),
    ],
)
def test_whoever_uses_it_lets_it_live(bench, use):
    """S-87: sends, receivers (of its dead letters, too), peeks and other requests put the end off."""
    bench.advance(400)
    use(bench["q"])
    assert bench.advance(400) == []
    assert bench.advance(200) == ["q"]


def test_receivers_and_scheduled_messages_keep_it(bench):
    """S-87: as long as a receiver is there, or a message waits for its time, the queue is in use."""
    taker = Idler(bench["q"])
    assert bench.advance(6_000) == []
    bench["q"].remove_consumer(taker)
    bench["q"].schedule([message()], bench.clock.now() + 1_000)
    assert bench.advance(999) == []
    assert bench.advance(300) == []
    assert bench.advance(1_000) == ["q"]


def test_what_forwards_never_goes():
    """S-67: forwarding sets AutoDeleteOnIdle to its maximum; when it ends the time runs again."""
    bench = Bench({"q": Queue(auto_delete_on_idle=TEN_MINUTES, forward_to="to"), "to": Queue()})
    assert bench.advance(100_000) == []
    bench.namespace.reconfigure(bench["q"], Queue(auto_delete_on_idle=TEN_MINUTES))
    assert bench.advance(599) == []
    assert bench.advance(1) == ["q"]


def test_new_settings_hold(bench):
    """S-87: changing an entity is a use of it; without the setting it stays."""
    bench.advance(500)
    bench.namespace.reconfigure(bench["q"], Queue(auto_delete_on_idle=900))
    assert bench.advance(899) == []
    bench.namespace.reconfigure(bench["q"], Queue())
    assert bench.advance(100_000) == []
    bench.namespace.add_queue("late", Queue(auto_delete_on_idle=300))
    assert bench.advance(300) == ["late"]


def test_a_subscription_goes_without_receivers_whatever_its_topic_gets():
    """S-87: copies from the topic are no use of a subscription; the topic stays."""
    bench = Bench(topics={"t": Topic(subscriptions={"s": Subscription(auto_delete_on_idle=TEN_MINUTES)})})
    bench.advance(400)
    bench["t"].send([message()])
    assert bench.advance(200) == ["t/Subscriptions/s"]
    assert list(bench.namespace.topics) == ["t"]


def test_a_topic_is_used_with_its_subscriptions():
    """S-87: a receiver on a subscription is a use of the topic; it goes with its subscriptions."""
    bench = Bench(topics={"t": Topic(auto_delete_on_idle=TEN_MINUTES, subscriptions={"s": Subscription()})})
    taker = Idler(bench["t/Subscriptions/s"])
    assert bench.advance(1_000) == []
    bench["t/Subscriptions/s"].remove_consumer(taker)
    bench.advance(400)
    bench["t"].send([message()])
    assert bench.advance(599) == []
    assert bench.advance(1) == ["t", "t/Subscriptions/s"]


def test_five_minutes_are_the_least():
    """S-87: for queues, topics and subscriptions."""
    for wrong in (
        {"queues": {"q": Queue(auto_delete_on_idle=299)}},
        {"topics": {"t": Topic(auto_delete_on_idle=299)}},
        {"topics": {"t": Topic(subscriptions={"s": Subscription(auto_delete_on_idle=299)})}},
    ):
        with pytest.raises(TopologyError, match="auto_delete_on_idle is 299, expected 300"):
            Topology(**wrong)
