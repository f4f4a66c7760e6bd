"""Transactions over real sockets, frame by frame: no SDK for Python has them (S-17, S-74, S-75)."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from peeklock.servicebus import (
    AccessRule,
    Emulator,
    ManualClock,
    OutgoingMessage,
    Queue,
    ServiceBusError,
    Subscription,
    Topic,
    Topology,
)
from peeklock.servicebus.amqp import Sender, decode, frames
from peeklock.servicebus.amqp.encode import described, encode
from peeklock.servicebus.amqp.transactions import outcome_of, posting, transactional
from peeklock.servicebus.amqp.types import Array, Described, ULong
from peeklock.servicebus.client.channel import raise_refusal

from .wire import Wire, manager

SPAN = "Local transactions cannot span multiple top-level entities such as queue or topic."
DESTINATION = "com.microsoft:transfer-destination-address"
RULES = (AccessRule(), AccessRule("via", "via-key", ("Send", "Listen"), "q"))


@pytest.fixture(scope="module")
def bus():
    topology = Topology(
        queues={"q": Queue(), "other": Queue(), "s": Queue(requires_session=True)},
        topics={"t": Topic(subscriptions={"one": Subscription(), "two": Subscription()})},
        access_rules=RULES,
    )
    with Emulator(topology, clock=ManualClock()) as emulator:
        yield emulator


@pytest.fixture(autouse=True)
def clean(bus):
    for name in ("q", "other"):
        bus.set_status(name, "Active")
    bus.start = bus.reset()


@pytest.fixture
def wire(bus):
    wire = Wire(bus)
    yield wire
    wire.close()


def held(bus, path):
    return bus.call(lambda server: [m.content.message_id for m in server.namespace.entity(path).peek(0, 1_000)])


def refused(action):
    with pytest.raises(ServiceBusError) as caught:
        action()
    return caught.value


def test_commit_and_rollback_of_sends_and_settlements(bus, wire):
    """S-74: declared with an id, posted with transactional-state both ways, discharged; a rollback keeps the locks."""
    sender = wire.channel.attach_sender("q")
    receiver = wire.channel.attach_receiver("q", settled=False)
    for name in ("a", "b", "c", "d"):
        wire.send(sender, name)
    a, b, c, d = (wire.receive(receiver) for _ in range(4))
    lost = wire.declare()
    assert len(lost) == 16
    wire.send(sender, "never", lost)
    assert wire.settle(a, lost) == frames.ACCEPTED_CODE
    wire.discharge(lost, fail=True)
    assert held(bus, "q") == ["a", "b", "c", "d"]
    assert bus.entities()[0]["locked"] == 4
    kept = wire.declare()
    tokens = Array([uuid.UUID(bytes_le=a.tag)], 0x98)
    wire.manage("q", "update-disposition", {"disposition-status": "completed", "lock-tokens": tokens}, kept)
    assert wire.settle(b, kept, frames.modified(True, False)) == frames.MODIFIED_CODE
    assert wire.settle(c, kept, frames.modified(False, True)) == frames.MODIFIED_CODE
    assert wire.settle(d, kept, frames.REJECTED) == frames.REJECTED_CODE
    wire.send(sender, "new", kept)
    assert held(bus, "q") == ["a", "b", "c", "d"]
    wire.discharge(kept)
    assert held(bus, "q") == ["b", "c", "new"]
    assert held(bus, "q/$DeadLetterQueue") == ["d"]
    (b,) = bus.call(lambda server: server.namespace.entity("q").peek(0, 1))
    assert b.delivery_count == 1


def test_unknown_ids_are_refused_in_the_words_of_the_service(bus, wire):
    """S-75: on a discharge, a transfer, a disposition and a request; another connection's id is unknown, too."""
    sender = wire.channel.attach_sender("q")
    receiver = wire.channel.attach_receiver("q", settled=False)
    wire.send(sender, "m")
    delivery = wire.receive(receiver)
    other = Wire(bus)
    foreign = other.declare()
    spent = wire.declare()
    wire.discharge(spent)
    tokens = Array([uuid.UUID(bytes_le=delivery.tag)], 0x98)
    arguments = {"disposition-status": "completed", "lock-tokens": tokens}
    for id_ in (b"\0" * 16, spent, foreign):
        for action in (
            lambda id_=id_: wire.discharge(id_),
            lambda id_=id_: wire.send(sender, "n", id_),
            lambda id_=id_: raise_refusal(wire.ask(encoded_request(arguments), manager(wire), posting(id_))),
        ):
            error = refused(action)
            assert error.condition == "amqp:transaction:unknown-id"
            assert "Transaction hasn't been declared yet, or has already been discharged." in error.description
    assert refused(lambda: wire.settle(delivery, spent)).condition == "amqp:transaction:unknown-id"
    other.close()
    assert held(bus, "q") == ["m"]


def encoded_request(arguments):
    from peeklock.servicebus.amqp.sections import build

    operation = {"operation": "com.microsoft:update-disposition"}
    return build(application_properties=operation, value=encode(arguments))


def test_closing_the_coordinator_link_or_the_connection_rolls_back(bus, wire):
    """S-74: what was posted is gone; the ledger says so."""
    sender = wire.channel.attach_sender("q")
    id_ = wire.declare()
    wire.send(sender, "m", id_)
    wire.link.detach()
    wire.channel.wait(lambda: not wire.channel.usable(wire.link), "the detach")
    assert refused(lambda: wire.send(sender, "m", id_)).condition == "amqp:transaction:unknown-id"
    other = Wire(bus)
    link = other.channel.attach_sender("q")
    other.send(link, "m", other.declare())
    other.channel._socket.close()

    def rolled_back(entries):
        return [e.reason for e in entries if e.event == "transaction_rolled_back"]

    entries = bus.ledger.wait_for(lambda entries: len(rolled_back(entries)) == 2, after=bus.start)
    assert rolled_back(entries) == ["its coordinator link was closed"] * 2
    assert held(bus, "q") == []


def test_two_minutes_roll_back(bus, wire):
    """S-74: by the injected clock."""
    sender = wire.channel.attach_sender("q")
    id_ = wire.declare()
    wire.send(sender, "m", id_)
    bus.advance(119)
    wire.send(sender, "n", id_)
    bus.advance(2)
    assert refused(lambda: wire.discharge(id_)).condition == "amqp:transaction:unknown-id"
    assert held(bus, "q") == []


def test_a_lost_lock_rolls_back(bus, wire):
    """S-75: amqp:transaction:rollback at the discharge."""
    sender = wire.channel.attach_sender("q")
    receiver = wire.channel.attach_receiver("q", settled=False)
    wire.send(sender, "m")
    delivery = wire.receive(receiver)
    id_ = wire.declare()
    wire.settle(delivery, id_)
    wire.send(sender, "n", id_)
    bus.advance(61)
    assert refused(lambda: wire.discharge(id_)).condition == "amqp:transaction:rollback"
    assert held(bus, "q") == ["m"]


@pytest.mark.parametrize("way", ["send", "settle"])
def test_what_was_refused_without_an_answer_dooms_the_transaction(bus, wire, way):
    """S-75, AMQP 4.4: nobody heard of the refusal, as the transfer or the disposition was settled: the commit fails."""
    sender, far = wire.channel.attach_sender("q"), wire.channel.attach_sender("other")
    id_ = wire.declare()
    wire.send(sender, "m", id_)
    if way == "send":
        far.send(OutgoingMessage(b"x", message_id="far").encode(), settled=True, state=posting(id_))
    else:
        wire.channel.session.settle(4_711, transactional(id_, frames.ACCEPTED), settled=True)
        wire.channel.flush()
    error = refused(lambda: wire.discharge(id_))
    assert error.condition == "amqp:transaction:rollback"
    assert held(bus, "q") == held(bus, "other") == []


def test_one_entity_and_a_hundred_messages(bus, wire):
    """S-75: in the words of the service; a refused posting leaves the transaction as it was."""
    sender, far = wire.channel.attach_sender("q"), wire.channel.attach_sender("other")
    id_ = wire.declare()
    wire.send(sender, "m", id_)
    error = refused(lambda: wire.send(far, "n", id_))
    assert (error.condition, SPAN in error.description) == ("amqp:not-allowed", True)
    for _ in range(99):
        wire.send(sender, "m", id_)
    error = refused(lambda: wire.send(sender, "m", id_))
    assert "Cannot send more than 100 messages in a single transaction" in error.description
    wire.discharge(id_)
    assert held(bus, "q") == ["m"] * 100


def test_requests_of_management_take_part(bus, wire):
    """S-75: renew tells its time, schedule its numbers; schedule and settlements happen with the commit only."""
    sender = wire.channel.attach_sender("q")
    receiver = wire.channel.attach_receiver("q", settled=False)
    wire.send(sender, "m")
    delivery = wire.receive(receiver)
    tokens = Array([uuid.UUID(bytes_le=delivery.tag)], 0x98)
    id_ = wire.declare()
    renewed = wire.manage("q", "renew-lock", {"lock-tokens": tokens}, id_)
    assert renewed["expirations"] == [int((bus.clock.now() + 60) * 1000)]
    later = OutgoingMessage(b"x", message_id="later", annotations={}).encode()
    answer = wire.manage("q", "schedule-message", {"messages": [{"message-id": "later", "message": later}]}, id_)
    (number,) = answer["sequence-numbers"]
    wire.manage("q", "update-disposition", {"disposition-status": "suspended", "lock-tokens": tokens}, id_)
    assert held(bus, "q") == ["m"]
    wire.discharge(id_)
    assert held(bus, "q/$DeadLetterQueue") == ["m"]
    bus.advance(1)
    assert held(bus, "q") == ["later"]
    entries = [e for e in bus.ledger.entries(bus.start) if e.event == "activated"]
    assert [e.details["scheduled_sequence"] for e in entries] == [number]


def test_send_via(bus, wire):
    """S-17, S-75: complete at the via entity and send to another one, together; needs the right on both."""
    sender = wire.channel.attach_sender("q")
    receiver = wire.channel.attach_receiver("q", settled=False)
    via = wire.channel._attach(Sender, "q", properties={DESTINATION: "t"})
    wire.channel.wait(lambda: via.credit > 0, "credit")
    wire.send(sender, "in")
    id_ = wire.declare()
    wire.settle(wire.receive(receiver), id_)
    wire.send(via, "out", id_)
    assert held(bus, "t/Subscriptions/one") == []
    wire.discharge(id_)
    assert held(bus, "q") == []
    assert held(bus, "t/Subscriptions/one") == held(bus, "t/Subscriptions/two") == ["out"]
    assert refused(lambda: wire.channel._attach(Sender, "q", properties={DESTINATION: "no"})).condition == (
        "amqp:not-found"
    )
    narrow = Wire(bus, rule="via", key="via-key", scope="q")
    error = refused(lambda: narrow.channel._attach(Sender, "q", properties={DESTINATION: "other"}))
    assert error.condition == "amqp:unauthorized-access"
    assert "Resource: 'other'" in error.description
    narrow.close()


def test_transfer_dead_letters_can_be_received_and_counted(bus, wire):
    """S-51, S-75, S-84: `q/$Transfer/$DeadLetterQueue` has a receiver, a count in the admin API and its ledger entries."""
    via = wire.channel._attach(Sender, "q", properties={DESTINATION: "other"})
    wire.channel.wait(lambda: via.credit > 0, "credit")
    id_ = wire.declare()
    wire.send(via, "out", id_)
    bus.set_status("other", "Disabled")
    wire.discharge(id_)
    assert bus.entities()[0]["transfer_dead_letter"] == 1
    count = bus.call(lambda server: admin_counts(server, "q"))
    assert count == {"DeadLetterMessageCount": "0", "TransferDeadLetterMessageCount": "1"}
    receiver = wire.channel.attach_receiver("q/$Transfer/$DeadLetterQueue", settled=True)
    delivery = wire.receive(receiver)
    assert b"MessagingEntityDisabledException" in delivery.payload
    events = [(e.entity, e.event) for e in bus.ledger.entries(bus.start) if e.message_id == "out"]
    assert ("q", "transfer_dead_lettered") in events
    assert ("q/$Transfer/$DeadLetterQueue".lower(), "enqueued") in events


def admin_counts(server, name):
    from peeklock.servicebus.gateway.admin import AdminRequest

    _, body = AdminRequest(server.context, server.administration, "GET", [name], {}, "https://h").answer(
        b"", replaces=False
    )
    text = body.decode()
    return {
        tag: text.partition(f":{tag}>")[2].partition("<")[0]
        for tag in ("DeadLetterMessageCount", "TransferDeadLetterMessageCount")
    }


def test_a_session_with_a_coordinator_belongs_to_its_first_entity(bus):
    """S-75, Azure/azure-sdk-for-net#34997: cross-entity transactions: receivers of another entity are refused, even without
    a transaction, and senders to another one send via the first."""
    wire = Wire(bus, own_session=False)
    receiver = wire.channel.attach_receiver("t/Subscriptions/one", settled=False)
    wire.channel.attach_receiver("t/Subscriptions/two", settled=False)
    error = refused(lambda: wire.channel.attach_receiver("q", settled=False))
    assert (error.condition, SPAN in error.description) == ("amqp:not-allowed", True)
    far, near = wire.channel.attach_sender("other"), wire.channel.attach_sender("t")
    wire.send(near, "in")
    id_ = wire.declare()
    wire.settle(wire.receive(receiver), id_)
    wire.send(far, "out", id_)
    wire.discharge(id_)
    assert held(bus, "other") == ["out"]
    assert held(bus, "t/Subscriptions/one") == []
    wire.close()


def test_messages_of_a_session_are_settled_in_a_transaction(bus, wire):
    """S-62, S-75: the session stays with its receiver."""
    sender = wire.channel.attach_sender("s")
    for name in ("a", "b"):
        wire.send(sender, name, session_id="x")
    receiver = wire.channel.attach_session("s", "x", settled=False, patience=5)
    a, b = wire.receive(receiver), wire.receive(receiver)
    id_ = wire.declare()
    wire.settle(a, id_)
    wire.settle(b, id_, frames.modified(True, False))
    wire.discharge(id_)
    assert held(bus, "s") == ["b"]
    wire.settle(wire.receive(receiver), last := wire.declare())
    wire.discharge(last)
    assert held(bus, "s") == []


def test_long_messages_of_a_transaction_come_in_many_frames(bus, wire):
    """S-18, S-74: the state is on every transfer, the message is one."""
    sender = wire.channel.attach_sender("q")
    id_ = wire.declare()
    payload = OutgoingMessage(b"x" * 200_000, message_id="long").encode()
    code, fields = wire.ask(payload, sender, posting(id_))
    assert (code, outcome_of(fields)[:2]) == (frames.TRANSACTIONAL, (id_, frames.ACCEPTED_CODE))
    wire.discharge(id_)
    assert held(bus, "q") == ["long"]


@pytest.mark.parametrize(
    ("payload", "condition"),
    [
        (b"\x00\x53\x77" + described(frames.DECLARE, b"global"), "amqp:not-implemented"),
        (b"\x00\x53\x77\x40", "amqp:decode-error"),
        (b"\x00\x53\x77" + described(frames.DISCHARGE, None, True), "amqp:decode-error"),
        (b"\x00\x53\x75" + encode(b"x" * 5_000), "amqp:decode-error"),
    ],
)
def test_the_coordinator_refuses_what_it_does_not_know(wire, payload, condition):
    """S-74: no distributed transactions; nothing but declare and discharge."""
    assert refused(lambda: raise_refusal(wire.ask(payload))).condition == condition


def test_the_bytes_of_the_specification(bus):
    """S-74: the frames as other clients write them: symbolic descriptors, short lists; the id comes as binary."""
    wire = Wire(bus)
    symbolic = b"\x00\x53\x77\x00\xa3\x11amqp:declare:list\xc0\x02\x01\x40"
    code, (id_,) = wire.ask(symbolic)
    assert (code, len(id_)) == (0x33, 16)
    short = b"\x00\x53\x77\x00\x53\x32\xc0\x13\x01\xa0\x10" + id_
    assert wire.ask(short) == (0x24, [])
    assert wire.ask(b"\x00\x53\x77\x00\x53\x31\x45")[0] == 0x33
    told = decode.value(transactional(id_, frames.ACCEPTED))[0]
    assert told == Described(ULong(0x34), [id_, Described(ULong(0x24), [])])
    attached = wire.link.target
    assert attached.descriptor == 0x30
    assert "amqp:local-transactions" in attached.value[0]
    wire.close()


def test_what_a_transaction_does_can_be_held(bus, wire):
    """A send and a settlement in it arrive and are kept; it commits with them once they are let go."""
    sender, receiver = wire.channel.attach_sender("q"), wire.channel.attach_receiver("q", settled=False)
    wire.send(sender, "first")
    delivery = wire.receive(receiver)
    id_ = wire.declare()
    for operation, act in (
        ("send", lambda: wire.send(sender, "second", id_)),
        ("complete", lambda: wire.settle(delivery, id_)),
    ):
        fault = bus.faults.hold("q", operation=operation)
        with ThreadPoolExecutor() as pool:
            waiting = pool.submit(act)
            bus.ledger.wait_for(
                lambda found, fault=fault: any(
                    e.details.get("phase") == "strike" and e.details["fault_id"] == fault for e in found
                )
            )
            assert not waiting.done()
            bus.faults.end(fault)
            waiting.result()
    wire.discharge(id_)
    assert (bus.entities()[0]["active"], bus.entities()[0]["locked"]) == (1, 0)


def test_what_is_held_beyond_its_transaction_is_refused(bus, wire):
    """It is done when it is let go, and by then there is no such transaction."""
    sender = wire.channel.attach_sender("q")
    id_ = wire.declare()
    fault = bus.faults.hold("q", operation="send")
    number = sender.send(OutgoingMessage(b"x").encode(), context=sender, state=posting(id_))
    wire.channel.flush()
    bus.ledger.wait_for(
        lambda found: any(e.details.get("phase") == "strike" and e.details["fault_id"] == fault for e in found)
    )
    wire.discharge(id_, fail=True)
    bus.faults.end(fault)
    wire.channel.wait(lambda: number in wire.channel.outcomes, "the outcome")
    with pytest.raises(ServiceBusError, match="transaction"):
        raise_refusal(wire.channel.outcomes.pop(number))
    assert bus.entities()[0]["active"] == 0
