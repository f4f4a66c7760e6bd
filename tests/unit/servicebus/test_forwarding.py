"""Auto-forwarding in the broker: S-67, S-68 and the dead-letter reasons of S-52."""

from __future__ import annotations

import itertools

import pytest

from peeklock.servicebus import Queue, Subscription, Topic, Topology, TopologyError
from peeklock.servicebus.broker.errors import NotAllowed

from .kit import BrokerKit, message


def chain(*names):
    """Queues that forward to the next one."""
    forwards = dict(itertools.pairwise(names))
    return {name: Queue(forward_to=forwards.get(name)) for name in names}


def test_messages_go_on_with_a_new_number_and_remember_the_first():
    """S-67: a new sequence number at the target, x-opt-enqueue-sequence-number is the original."""
    kit = BrokerKit({"a": Queue(forward_to="b"), "b": Queue(forward_to="sb://ns/C"), "c": Queue()})
    kit["c"].send([message("first")])
    kit["a"].send([message("m1"), message("m2")])
    assert kit.held("a") == kit.held("b") == []
    found = kit["c"].peek(1, 9)
    assert [(m.content.message_id, m.sequence, m.origin) for m in found] == [
        ("first", 1, None), ("m1", 2, 1), ("m2", 3, 2),
    ]  # fmt: skip
    story = [(e.entity, e.event) for e in kit.namespace.ledger.entries() if e.message_id == "m1"]
    assert story == [("a", "enqueued"), ("a", "forwarded"), ("b", "enqueued"), ("b", "forwarded"), ("c", "enqueued")]


def test_nobody_receives_from_an_entity_that_forwards():
    """S-67: but from its dead-letter queue."""
    kit = BrokerKit(chain("a", "b"))
    with pytest.raises(NotAllowed, match="forwards its messages to 'b'"):
        kit["a"].gate.admit_receiver()
    kit["a/$DeadLetterQueue"].gate.admit_receiver()
    kit["b"].gate.admit_receiver()


def test_four_hops_and_no_more():
    """S-52, S-67: the fifth forward sends the message to the DLQ of the entity that would have forwarded it."""
    kit = BrokerKit(chain("a", "b", "c", "d", "e", "f"))
    kit["b"].send([message("four")])
    kit["a"].send([message("five")])
    assert kit.held("f") == ["four"]
    assert kit.buried("e") == [("five", "MaxTransferHopCountExceeded")]


def test_a_circle_ends():
    """S-67: forwards that lead back to their source stop after four hops, also with many messages at once."""
    kit = BrokerKit({"a": Queue(forward_to="b"), "b": Queue(forward_to="a")})
    kit["a"].send([message(str(i)) for i in range(2_000)])
    assert len(kit.buried("a")) == 2_000
    assert kit.held("a") == kit.held("b") == []


@pytest.mark.parametrize(
    ("target", "prepare", "reason"),
    [
        (Queue(), lambda kit: kit["b"].gate.set_status("Disabled"), "MessagingEntityDisabledException"),
        (Queue(), lambda kit: kit.namespace.queues.pop("b"), "MessagingEntityNotFoundException"),
        (Queue(max_size_in_megabytes=0), lambda kit: None, "QuotaExceededException"),
    ],
)
def test_what_the_target_does_not_take_is_dead_lettered_at_the_source(target, prepare, reason):
    """S-67: target disabled, deleted or full."""
    kit = BrokerKit({"a": Queue(forward_to="b"), "b": target})
    prepare(kit)
    kit["a"].send([message()])
    assert kit.buried("a") == [("m", reason)]


def test_a_source_that_is_disabled_keeps_its_messages():
    """S-77: ReceiveDisabled stops forwarding; it goes on when the entity is active again."""
    kit = BrokerKit({"a": Queue(forward_to="b", status="ReceiveDisabled"), "b": Queue()})
    kit["a"].send([message()])
    assert kit.held("a") == ["m"]
    kit["a"].gate.set_status("Active")
    assert (kit.held("a"), kit.held("b")) == ([], ["m"])


def test_subscriptions_forward_to_queues_and_queues_to_topics():
    """S-67: queue to topic to subscription to queue is two hops."""
    kit = BrokerKit(
        {"in": Queue(forward_to="t"), "out": Queue()}, {"t": Topic(subscriptions={"s": Subscription(forward_to="out")})}
    )
    kit["in"].send([message()])
    (found,) = kit["out"].peek(1, 9)
    assert (found.hops, found.origin) == (2, 1)
    assert kit["t/Subscriptions/s"].log.active == 0
    assert kit.held("t/Subscriptions/s") == kit.held("in") == []


def test_dead_letters_are_forwarded_with_their_source():
    """S-32, S-68: the DLQ empties into the target; x-opt-deadletter-source names the entity; the reason stays."""
    kit = BrokerKit({"a": Queue(forward_dead_lettered_messages_to="graves"), "graves": Queue()})
    kit["a"].send([message()])
    kit["a"].settlement.dead_letter(kit.lock("a"), "why", "because")
    assert kit.held("a/$DeadLetterQueue") == []
    (found,) = kit["graves"].peek(1, 9)
    assert found.content.annotations()["x-opt-deadletter-source"] == "a"
    assert found.content.application_properties()["DeadLetterReason"] == "why"
    assert (found.origin, found.delivery_count) == (1, 0)


def test_dead_letters_stay_where_their_target_is_closed():
    """S-67, S-68: they are kept, in order, and go when the next one comes."""
    kit = BrokerKit({"a": Queue(forward_dead_lettered_messages_to="graves"), "graves": Queue(status="Disabled")})
    kit["a"].send([message("1"), message("2"), message("3")])
    for _ in range(2):
        kit["a"].settlement.dead_letter(kit.lock("a"))
    assert kit.held("a/$DeadLetterQueue") == ["1", "2"]
    kit["graves"].gate.set_status("Active")
    kit["a"].settlement.dead_letter(kit.lock("a"))
    assert kit.held("graves") == ["1", "2", "3"]


def test_a_session_queue_buries_what_is_forwarded_without_a_session():
    """S-52: `Session ID is null.`, in the DLQ of the session entity."""
    kit = BrokerKit({"a": Queue(forward_to="b"), "b": Queue(requires_session=True)})
    kit["a"].send([message("none"), message("one", session_id="1")])
    assert kit.held("b") == ["one"]
    assert kit.buried("b") == [("none", "Session ID is null.")]


def test_the_target_detects_duplicates():
    """S-57, S-67: a forwarded message is a new one at its target."""
    kit = BrokerKit({"a": Queue(forward_to="b"), "b": Queue(duplicate_detection_window=60)})
    kit["a"].send([message("same"), message("same")])
    assert kit.held("b") == ["same"]


def test_scheduled_messages_are_forwarded_when_their_time_comes():
    """S-54, S-67."""
    kit = BrokerKit(chain("a", "b"))
    kit["a"].intake.schedule([message()], kit.clock.now() + 60)
    assert kit.held("b") == []
    kit.clock.advance(60)
    kit.namespace.run_due()
    assert kit.held("b") == ["m"]


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
    kit = BrokerKit(queues)
    kit["a"].send([message(session_id="s")])
    kit["a"].gate.admit_receiver()
    assert (kit.held("a"), kit.held("b")) == (["m"], [])


def test_an_entity_that_forwards_to_itself_comes_to_an_end():
    """S-52, S-67: the service takes it, its messages end in the dead-letter queue by their hops; that queue may forward to
    the entity, too, and still comes to rest."""
    kit = BrokerKit(Topology(queues={"a": Queue(forward_to="A")}).queues)
    kit["a"].send([message()])
    assert kit.buried("a") == [("m", "MaxTransferHopCountExceeded")]
    circle = BrokerKit({"a": Queue(forward_to="a", forward_dead_lettered_messages_to="a")})
    circle["a"].send([message()])
    assert circle.buried("a") == [("m", "MaxTransferHopCountExceeded")]


def test_what_has_gone_too_far_can_still_be_collected():
    """S-52, S-68: ForwardDeadLetteredMessagesTo takes a message one hop further than the limit."""
    queues = chain("a", "b", "c", "d", "e", "f")
    queues |= {"e": Queue(forward_to="f", forward_dead_lettered_messages_to="bin"), "bin": Queue()}
    kit = BrokerKit(queues)
    kit["a"].send([message()])
    assert (kit.held("f"), kit.held("bin"), kit.buried("e")) == ([], ["m"], [])
