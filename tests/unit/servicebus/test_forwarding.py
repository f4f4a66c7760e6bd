"""Auto-forwarding in the broker: S-67, S-68 and the dead-letter reasons of S-52."""

from __future__ import annotations

import itertools

import pytest

from peeklock.servicebus import ManualClock, OutgoingMessage, Queue, Subscription, Topic, Topology, TopologyError
from peeklock.servicebus.amqp import Envelope
from peeklock.servicebus.broker import Namespace
from peeklock.servicebus.broker.errors import NotAllowed


def message(message_id="m", **options):
    return Envelope(OutgoingMessage(b"x", message_id=message_id, **options).encode())


class Bench:
    def __init__(self, queues, topics=None):
        self.clock = ManualClock()
        self.namespace = Namespace("ns", queues, self.clock, topics=topics)

    def __getitem__(self, path):
        return self.namespace.entity(path)

    def held(self, path):
        return [m.content.message_id for m in self[path].peek(1, 10_000)]

    def dead(self, path):
        return [
            (m.content.message_id, m.content.application_properties()["DeadLetterReason"])
            for m in self[f"{path}/$DeadLetterQueue"].peek(1, 99)
        ]

    def take(self, path):
        """Lock the next message as a receiver would."""
        queue = self[path]
        found = queue.take_next(self.clock.now())
        queue._lock(found, "test", self.clock.now())
        return found


def chain(*names):
    """Queues that forward to the next one."""
    forwards = dict(itertools.pairwise(names))
    return {name: Queue(forward_to=forwards.get(name)) for name in names}


def test_messages_go_on_with_a_new_number_and_remember_the_first():
    """S-67: a new sequence number at the target, x-opt-enqueue-sequence-number is the original."""
    bench = Bench({"a": Queue(forward_to="b"), "b": Queue(forward_to="sb://ns/C"), "c": Queue()})
    bench["c"].send([message("first")])
    bench["a"].send([message("m1"), message("m2")])
    assert bench.held("a") == bench.held("b") == []
    found = bench["c"].peek(1, 9)
    assert [(m.content.message_id, m.sequence, m.origin) for m in found] == [
        ("first", 1, None), ("m1", 2, 1), ("m2", 3, 2),
    ]  # fmt: skip
    story = [(e.entity, e.event) for e in bench.namespace.ledger.entries() if e.message_id == "m1"]
    assert story == [("a", "enqueued"), ("a", "forwarded"), ("b", "enqueued"), ("b", "forwarded"), ("c", "enqueued")]


def test_nobody_receives_from_an_entity_that_forwards():
    """S-67: but from its dead-letter queue."""
    bench = Bench(chain("a", "b"))
    with pytest.raises(NotAllowed, match="forwards its messages to 'b'"):
        bench["a"].admit_receiver()
    bench["a/$DeadLetterQueue"].admit_receiver()
    bench["b"].admit_receiver()


def test_four_hops_and_no_more():
    """S-52, S-67: the fifth forward sends the message to the DLQ of the entity that would have forwarded it."""
    bench = Bench(chain("a", "b", "c", "d", "e", "f"))
    bench["b"].send([message("four")])
    bench["a"].send([message("five")])
    assert bench.held("f") == ["four"]
    assert bench.dead("e") == [("five", "MaxTransferHopCountExceeded")]


def test_a_circle_ends():
    """S-67: forwards that lead back to their source stop after four hops, also with many messages at once."""
    bench = Bench({"a": Queue(forward_to="b"), "b": Queue(forward_to="a")})
    bench["a"].send([message(str(i)) for i in range(2_000)])
    assert len(bench.dead("a")) == 99
    assert bench["a"].dead_letters.active == 2_000
    assert bench.held("a") == bench.held("b") == []


@pytest.mark.parametrize(
    ("target", "prepare", "reason"),
    [
        (Queue(), lambda bench: bench["b"].set_status("Disabled"), "MessagingEntityDisabledException"),
        (Queue(), lambda bench: bench.namespace.queues.pop("b"), "MessagingEntityNotFoundException"),
        (Queue(max_size_in_megabytes=0), lambda bench: None, "QuotaExceededException"),
    ],
)
def test_what_the_target_does_not_take_is_dead_lettered_at_the_source(target, prepare, reason):
    """S-67: target disabled, deleted or full."""
    bench = Bench({"a": Queue(forward_to="b"), "b": target})
    prepare(bench)
    bench["a"].send([message()])
    assert bench.dead("a") == [("m", reason)]


def test_a_source_that_is_disabled_keeps_its_messages():
    """S-77: ReceiveDisabled stops forwarding; it goes on when the entity is active again."""
    bench = Bench({"a": Queue(forward_to="b", status="ReceiveDisabled"), "b": Queue()})
    bench["a"].send([message()])
    assert bench.held("a") == ["m"]
    bench["a"].set_status("Active")
    assert (bench.held("a"), bench.held("b")) == ([], ["m"])


def test_subscriptions_forward_to_queues_and_queues_to_topics():
    """S-67: queue to topic to subscription to queue is two hops."""
    bench = Bench(
        {"in": Queue(forward_to="t"), "out": Queue()}, {"t": Topic(subscriptions={"s": Subscription(forward_to="out")})}
    )
    bench["in"].send([message()])
    (found,) = bench["out"].peek(1, 9)
    assert (found.hops, found.origin) == (2, 1)
    assert bench["t/Subscriptions/s"].active == 0
    assert bench.held("t/Subscriptions/s") == bench.held("in") == []


def test_dead_letters_are_forwarded_with_their_source():
    """S-32, S-68: the DLQ empties into the target; x-opt-deadletter-source names the entity; the reason stays."""
    bench = Bench({"a": Queue(forward_dead_lettered_messages_to="graves"), "graves": Queue()})
    bench["a"].send([message()])
    bench["a"].dead_letter(bench.take("a").token, "why", "because")
    assert bench.held("a/$DeadLetterQueue") == []
    (found,) = bench["graves"].peek(1, 9)
    assert found.content.annotations()["x-opt-deadletter-source"] == "a"
    assert found.content.application_properties()["DeadLetterReason"] == "why"
    assert (found.origin, found.delivery_count) == (1, 0)


def test_dead_letters_stay_where_their_target_is_closed():
    """S-67, S-68: they are kept, in order, and go when the next one comes."""
    bench = Bench({"a": Queue(forward_dead_lettered_messages_to="graves"), "graves": Queue(status="Disabled")})
    bench["a"].send([message("1"), message("2"), message("3")])
    for _ in range(2):
        bench["a"].dead_letter(bench.take("a").token)
    assert bench.held("a/$DeadLetterQueue") == ["1", "2"]
    bench["graves"].set_status("Active")
    bench["a"].dead_letter(bench.take("a").token)
    assert bench.held("graves") == ["1", "2", "3"]


def test_a_session_queue_buries_what_is_forwarded_without_a_session():
    """S-52: `Session ID is null.`, in the DLQ of the session entity."""
    bench = Bench({"a": Queue(forward_to="b"), "b": Queue(requires_session=True)})
    bench["a"].send([message("none"), message("one", session_id="1")])
    assert bench.held("b") == ["one"]
    assert bench.dead("b") == [("none", "Session ID is null.")]


def test_the_target_detects_duplicates():
    """S-57, S-67: a forwarded message is a new one at its target."""
    bench = Bench({"a": Queue(forward_to="b"), "b": Queue(duplicate_detection_window=60)})
    bench["a"].send([message("same"), message("same")])
    assert bench.held("b") == ["same"]


def test_scheduled_messages_are_forwarded_when_their_time_comes():
    """S-54, S-67."""
    bench = Bench(chain("a", "b"))
    bench["a"].schedule([message()], bench.clock.now() + 60)
    assert bench.held("b") == []
    bench.clock.advance(60)
    bench.namespace.run_due()
    assert bench.held("b") == ["m"]


@pytest.mark.parametrize(
    ("queues", "words"),
    [
        ({"a": Queue(forward_to="nope")}, "forward_to is 'nope', which is no queue or topic here"),
        ({"a": Queue(forward_dead_lettered_messages_to="nope")}, "forward_dead_lettered_messages_to is 'nope'"),
        ({"a": Queue(status="Off")}, "status is 'Off'"),
    ],
)
def test_forwards_are_checked(queues, words):
    """S-67: the target must exist."""
    with pytest.raises(TopologyError, match=words):
        Topology(queues=queues)


def test_an_entity_that_requires_sessions_keeps_its_messages():
    """S-67: the service takes both settings together, and does not forward; receivers are let in."""
    queues = Topology(queues={"a": Queue(forward_to="b", requires_session=True), "b": Queue()}).queues
    bench = Bench(queues)
    bench["a"].send([message(session_id="s")])
    bench["a"].admit_receiver()
    assert (bench.held("a"), bench.held("b")) == (["m"], [])


def test_an_entity_that_forwards_to_itself_comes_to_an_end():
    """S-52, S-67: the service takes it, its messages end in the dead-letter queue by their hops; that queue may forward to
    the entity, too, and still comes to rest."""
    bench = Bench(Topology(queues={"a": Queue(forward_to="A")}).queues)
    bench["a"].send([message()])
    assert bench.dead("a") == [("m", "MaxTransferHopCountExceeded")]
    circle = Bench({"a": Queue(forward_to="a", forward_dead_lettered_messages_to="a")})
    circle["a"].send([message()])
    assert circle.dead("a") == [("m", "MaxTransferHopCountExceeded")]


def test_what_has_gone_too_far_can_still_be_collected():
    """S-52, S-68: ForwardDeadLetteredMessagesTo takes a message one hop further than the limit."""
    queues = chain("a", "b", "c", "d", "e", "f")
    queues |= {"e": Queue(forward_to="f", forward_dead_lettered_messages_to="bin"), "bin": Queue()}
    bench = Bench(queues)
    bench["a"].send([message()])
    assert (bench.held("f"), bench.held("bin"), bench.dead("e")) == ([], ["m"], [])
