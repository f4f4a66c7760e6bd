"""How much is too much: lengths of names and properties, numbers of things (S-38, S-52, S-73, S-87)."""

from __future__ import annotations

import time

import pytest

from peeklock.servicebus import ManualClock, OutgoingMessage, Queue, Rule, Subscription, SystemClock, Topic, Topology
from peeklock.servicebus.amqp import Envelope
from peeklock.servicebus.broker import Namespace
from peeklock.servicebus.broker import topic as topics_of
from peeklock.servicebus.broker.errors import ArgumentError, ArgumentOutOfRange, HeaderTooLarge, QuotaExceeded
from peeklock.servicebus.broker.transfer import Transfer

from .kit import Receiver


def message(**options):
    return Envelope(OutgoingMessage(b"x", **{"message_id": "m", **options}).encode())


def namespace(queues=None, **options):
    return Namespace("ns", queues or {"q": Queue()}, ManualClock(), **options)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("MessageId", lambda text: {"message_id": text}),
        ("SessionId", lambda text: {"session_id": text}),
        ("PartitionKey", lambda text: {"annotations": {"x-opt-partition-key": text}}),
    ],
)
def test_identifiers_have_128_characters(name, options):
    """S-38: for any way into an entity; 128 are fine, characters are counted and not bytes."""
    space = namespace()
    queue = space.entity("q")
    queue.send([message(**options("ü" * 128))])
    wrong = message(**options("x" * 129))
    way = Transfer(queue, "q", space.entity, lambda via: via, space.clock)
    for entry in (queue.send, queue.intake.schedule, way.send, lambda contents: queue.send([message(), *contents])):
        with pytest.raises(ArgumentError, match=f"The {name} of a message has at most 128 characters, not 129"):
            entry([wrong])
    assert queue.log.active == 1


def test_a_property_has_32_kilobytes():
    """S-38: application properties and annotations; the words of the service, which has no better ones, and ours."""
    queue = namespace().entity("q")
    queue.send([message(application_properties={"fine": "x" * 32_700})])
    for options in (
        {"application_properties": {"a": 1, "long": "x" * 33_000}},
        {"annotations": {"x-opt-long": "x" * 33_000}},
    ):
        with pytest.raises(HeaderTooLarge, match=r"unable to process the request.*long' has 33") as refused:
            queue.send([message(**options)])
        assert refused.value.condition == "amqp:internal-error"


def test_all_properties_have_64_kilobytes():
    """S-38: together; the body does not count."""
    queue = namespace().entity("q")
    body = {"application_properties": {str(n): "x" * 10_000 for n in range(6)}}
    queue.send([Envelope(OutgoingMessage(b"x" * 150_000, **body).encode())])
    with pytest.raises(HeaderTooLarge, match="65536 are the limit"):
        queue.send([message(application_properties={str(n): "x" * 10_000 for n in range(7)})])


def test_what_grows_too_long_is_dead_lettered():
    """S-52: HeaderSizeExceeded: properties that an abandon, a deferral or the action of a rule adds."""
    space = namespace(
        topics={"t": Topic(subscriptions={"s": Subscription(rules={"r": Rule(matches=True, action=LONG)})})}
    )
    queue = space.entity("q")
    for settle in (queue.settlement.abandon, queue.settlement.defer):
        queue.send([message(message_id=settle.__name__)])
        settle(Receiver(queue).one().token, {"big": "x" * 40_000})
    space.entity("t").send([message(application_properties={"a": "x" * 20_000})])
    for path, ids in (("q", ["abandon", "defer"]), ("t/Subscriptions/s", ["m"])):
        dead = space.entity(f"{path}/$DeadLetterQueue").peek(0, 9)
        assert [m.content.message_id for m in dead] == ids
        for found in dead:
            told = found.content.application_properties()
            assert told["DeadLetterReason"] == "HeaderSizeExceeded"
            assert told["DeadLetterErrorDescription"] == "The size quota for this stream has been exceeded."
        assert space.entity(path).peek(0, 9) == []
    assert queue.log.size_in_bytes == 0


LONG = "SET user.b = user.a + user.a"


def test_a_namespace_has_so_many_entities():
    """S-87, 1.3 Quotas: 10,000 queues and topics unless told otherwise; subscriptions do not count."""
    space = namespace({"q": Queue()}, max_entities=2)
    topic = space.add_topic("t", Topic())
    space.add_subscription(topic, "s", Subscription())
    for add in (lambda: space.add_queue("r", Queue()), lambda: space.add_topic("u", Topic())):
        with pytest.raises(QuotaExceeded, match="can have 2 queues and topics"):
            add()
    space.remove(space.entity("q"))
    space.add_queue("r", Queue())


def test_a_topic_has_so_many_subscriptions(monkeypatch):
    """1.3 Quotas: 2,000."""
    assert topics_of.MAX_SUBSCRIPTIONS == 2_000
    monkeypatch.setattr(topics_of, "MAX_SUBSCRIPTIONS", 1)
    space = namespace(topics={"t": Topic(subscriptions={"s": Subscription()})})
    with pytest.raises(QuotaExceeded):
        space.add_subscription(space.topics["t"], "u", Subscription())


def test_properties_that_cannot_be_read_stop_nobody():
    """A partition key or a session id that is no text counts as none, wherever a message goes; the rest is as it came."""
    broken = b"\x00\x53\x72\xc1\x19\x02\xa3\x13x-opt-partition-key\xa1\x01\xff"
    broken += b"\x00\x53\x73\xc0\x10\x0b\xa1\x01m" + b"\x40" * 9 + b"\xa1\x01\xff" + b"\x00\x53\x75\xa0\x01x"
    queues = {
        "q": Queue(forward_to="p"),
        "p": Queue(partitioned=True, forward_to="s", duplicate_detection_window=60),
        "s": Queue(requires_session=True),
    }
    space = namespace(queues)
    content = Envelope(broken)
    assert (content.session_id, content.partition_key, content.partition_id) == (None, None, None)
    space.entity("q").send([content])
    (dead,) = space.entity("s/$DeadLetterQueue").peek(0, 9)
    assert dead.content.application_properties()["DeadLetterReason"] == "Session ID is null."


def test_a_namespace_begins_with_no_more_than_it_may_have():
    """1.3 Quotas: it is refused before anything is made."""
    with pytest.raises(QuotaExceeded, match="can have 2 queues and topics, and no more: 3 are asked for"):
        namespace({"a": Queue(), "b": Queue()}, topics={"t": Topic()}, max_entities=2)


@pytest.mark.parametrize("seconds", [float("nan"), -1e12, 1e300, 253_402_300_800.0])
def test_a_clock_stays_in_the_calendar(seconds):
    """No number that is none of seconds leaves a clock behind that tells no time."""
    for clock in (ManualClock(), SystemClock()):
        before = clock.now()
        with pytest.raises(ArgumentOutOfRange, match="cannot be moved"):
            clock.advance(seconds)
        assert 0 <= clock.now() - before < 60


def test_a_topology_is_checked_in_the_time_that_its_size_takes():
    """Ten times the queues take about ten times as long, not a hundred times."""

    def seconds(count):
        queues = {f"q{number}": Queue(forward_to="q0") for number in range(count)}
        began = time.process_time()
        Topology(queues=queues)
        return time.process_time() - began

    few, many = (min(seconds(count) for _ in range(5)) for count in (200, 2_000))
    assert many < few * 50
