"""The AMQP engine: two connections joined in memory, no socket and no clock."""

from __future__ import annotations

import random

import pytest

from peeklock.servicebus.amqp import AmqpError, Connection, Receiver, Sender, decode, frames, serial
from peeklock.servicebus.amqp import events as ev
from peeklock.servicebus.amqp.encode import described
from peeklock.servicebus.amqp.types import Symbol, UInt


class Pair:
    """A client and a server; `turn` carries bytes until both are silent."""

    def __init__(self, **options):
        self.client = Connection(server=False, container_id="client", hostname="h", **options)
        self.server = Connection(server=True, container_id="server")
        self.client.start()
        self.seen = {self.client: [], self.server: []}
        self.wire = {self.client: b"", self.server: b""}
        self.turn()
        self.client.open()
        self.session = self.client.begin()
        self.turn()

    def turn(self, chunk=0):
        moved = True
        while moved:
            moved = False
            for sender, receiver in ((self.client, self.server), (self.server, self.client)):
                raw = sender.take_output()
                self.wire[sender] += raw
                moved = moved or bool(raw)
                step = chunk or len(raw) or 1
                for start in range(0, len(raw), step):
                    for event in receiver.receive(raw[start : start + step]):
                        self.seen[receiver].append(event)
                        if isinstance(event, ev.SaslInit):
                            receiver.sasl_outcome(True)

    def link(self, kind=Sender, *, credit=100):
        """Attach a link of the client's and accept it; return both ends."""
        link = self.session.attach(kind, "l", source=frames.source("q"), target=frames.target("q"))
        self.turn()
        other = self.attached()
        other.accept()
        if kind is Sender:
            other.grant(credit)
        else:
            self.turn()
            link.grant(credit)
        self.turn()
        return link, other

    def attached(self):
        """Return the server's end of the link that was attached last."""
        return self.server.links[self.of(self.server, ev.LinkAttached)[-1].link]

    @property
    def server_session(self):
        (session,) = self.server.sessions.values()
        return session

    def of(self, side, kind):
        return [event for event in self.seen[side] if type(event) is kind]


def frames_of(raw, kind=0):
    """Cut bytes into (channel, performative code, fields, payload)."""
    found, pos = [], 0
    while pos < len(raw):
        if raw[pos : pos + 4] == b"AMQP":
            pos += 8
            continue
        size = int.from_bytes(raw[pos : pos + 4], "big")
        body = raw[pos + 8 : pos + size]
        if body:
            code, at = decode.descriptor(body, 0)
            fields, end = decode.fields(body, at)
            found.append((int.from_bytes(raw[pos + 6 : pos + 8], "big"), code, fields, body[end:]))
        pos += size
    return found


def test_handshake():
    """S-2: SASL header, mechanisms, outcome; then header, open, begin."""
    pair = Pair()
    assert pair.server.opened
    assert pair.client.opened
    assert pair.server.remote_container_id == "client"
    assert pair.wire[pair.server].startswith(frames.SASL_HEADER)


def test_server_header_waits_for_the_client_s():
    """Section 2.4 (7): the AMQP header is never sent before the client's own: rhea would wait for ever."""
    server = Connection(server=True, container_id="s")
    server.receive(frames.SASL_HEADER + frames.frame(0, described(0x41, Symbol("ANONYMOUS"), b"", None), kind=1))
    server.sasl_outcome(True)
    assert frames.AMQP_HEADER not in server.take_output()
    server.receive(frames.AMQP_HEADER)
    assert server.take_output() == frames.AMQP_HEADER


def test_every_performative_has_all_of_its_fields():
    """Part B: open 10, begin 8, attach 14, flow 11, transfer 11, disposition 6, detach 3, end 1, close 1."""
    pair = Pair()
    _link, other = pair.link(Receiver)
    other.send(b"x", tag=b"t" * 16)
    other.send(b"x", tag=b"t", message_format=7)
    pair.turn()
    pair.session.settle(0, frames.ACCEPTED, settled=False)
    pair.turn()
    pair.server_session.channel.settle_range(0, 0, frames.ACCEPTED)
    other.detach(AmqpError("amqp:not-found", "gone"))
    pair.server_session.end()
    pair.server.close()
    pair.turn()
    arity = {0x10: 10, 0x11: 8, 0x12: 14, 0x13: 11, 0x14: 11, 0x15: 6, 0x16: 3, 0x17: 1, 0x18: 1}
    sent = frames_of(pair.wire[pair.server])
    seen = {code for _, code, _, _ in sent if code < 0x40}
    assert seen >= set(arity) - {0x13}
    for _, code, fields, _ in sent:
        if code < 0x40:
            assert len(fields) == arity[code], hex(code)


def test_split_input_makes_no_difference():
    """Bytes may arrive one by one: frames are put together."""
    pair = Pair()
    link, _ = pair.link()
    link.send(b"hello", tag=b"x" * 16, context=1)
    pair.turn(chunk=1)
    (delivery,) = pair.of(pair.server, ev.Delivery)
    assert (delivery.payload, delivery.tag) == (b"hello", b"x" * 16)


@pytest.mark.parametrize("size", [0, 1, 461, 462, 463, 5_000])
def test_long_messages_go_in_several_transfers(size):
    """S-18: both ways, messages longer than the peer's max-frame-size are split and put together."""
    pair = Pair(max_frame_size=512)
    payload = random.randbytes(size)
    _link, other = pair.link(Receiver)
    other.send(payload, tag=b"t" * 16, settled=True)
    pair.turn()
    (delivery,) = pair.of(pair.client, ev.Delivery)
    assert delivery.payload == payload
    transfers = [f for f in frames_of(pair.wire[pair.server]) if f[1] == 0x14]
    assert all(len(f[3]) <= 512 for f in transfers)
    assert [f[2][5] for f in transfers] == [True] * (len(transfers) - 1) + [False]


def test_oversized_messages_are_not_kept():
    """S-64: past max-message-size the bytes are dropped while they arrive, and the owner is told."""
    pair = Pair()
    link, other = pair.link()
    other.max_message_size = 100_000
    link.send(b"x" * 300_000)
    link.send(b"y" * 100_000)
    pair.turn()
    assert [d.payload and len(d.payload) for d in pair.of(pair.server, ev.Delivery)] == [None, 100_000]


def test_credit_is_absolute():
    """S-12: a restated flow does not add up: delivery-count + credit - delivered."""
    pair = Pair()
    link, other = pair.link(Receiver, credit=3)
    assert other.credit == 3
    other.send(b"1", settled=True)
    link.grant(3)
    pair.turn()
    # the flow crossed the transfer: 0 + 3 - 1 delivered
    assert (link.credit, other.credit) == (2, 2)


def test_drain_uses_the_credit_up():
    """S-14: on drain the delivery-count advances by the credit left, and the flow is answered."""
    pair = Pair()
    link, other = pair.link(Receiver, credit=5)
    other.send(b"1", settled=True)
    link.grant(5, drain=True)
    pair.turn()
    assert other.drain
    other.drained()
    pair.turn()
    assert (link.credit, other.credit) == (0, 0)
    assert link.delivery_count == other.delivery_count == 5


def test_echo_is_answered():
    """S-15: a flow with echo gets a flow back, for a link and for the session."""
    pair = Pair()
    link, other = pair.link(Receiver)
    before = len(frames_of(pair.wire[pair.server]))
    link.grant(7, echo=True)
    pair.client.output.write(frames.flow(0, (0, 100, 0, 100), None, echo=True))
    pair.turn()
    flows = [f for f in frames_of(pair.wire[pair.server])[before:] if f[1] == 0x13]
    assert [f[2][4] for f in flows] == [other.handle, None]


def test_credit_is_topped_up():
    """A granted credit with `auto` is renewed when half of it is used, and with it the session's window."""
    pair = Pair()
    link, other = pair.link(credit=0)
    other.grant(10, auto=True)
    pair.turn()
    for _ in range(50):
        assert link.credit > 0
        link.send(b"x", settled=True)
        pair.turn()
    assert len(pair.of(pair.server, ev.Delivery)) == 50


def test_session_window_holds_transfers_back():
    """The peer's incoming window counts transfers: what has no window waits until it opens."""
    pair = Pair()
    link, other = pair.link(Receiver)
    other.channel.remote_window = 1
    for number in range(3):
        other.send(b"%d" % number, tag=b"t" * 16, settled=True)
    pair.turn()
    assert [d.payload for d in pair.of(pair.client, ev.Delivery)] == [b"0"]
    link.grant(50)
    pair.turn()
    assert [d.payload for d in pair.of(pair.client, ev.Delivery)] == [b"0", b"1", b"2"]


def test_counters_wrap():
    """Serial numbers are mod 2^32: delivery-ids, transfer-ids and delivery-counts run over the edge."""
    assert serial.add(2**32 - 1, 2) == 1
    assert serial.distance(2**32 - 1, 1) == 2
    assert serial.distance(1, 2**32 - 1) == -2
    pair = Pair()
    link, other = pair.link(Receiver, credit=0)
    for channel in (other.channel, link.channel):
        channel.next_outgoing_id = channel.next_delivery_id = 2**32 - 2
    link.channel.next_incoming_id = 2**32 - 2
    link.delivery_count = other.delivery_count = 2**32 - 2
    link.grant(10)
    pair.turn()
    assert other.credit == 10
    for number in range(4):
        other.send(b"%d" % number, tag=b"t" * 16, context=number)
    pair.turn()
    assert [d.id for d in pair.of(pair.client, ev.Delivery)] == [2**32 - 2, 2**32 - 1, 0, 1]
    assert link.delivery_count == other.delivery_count == 2
    pair.client.output.write(frames.disposition(0, True, 2**32 - 1, 0, True, frames.ACCEPTED))
    pair.turn()
    assert [o.context for o in pair.of(pair.server, ev.Outcome)] == [1, 2]


def test_one_disposition_covers_a_range():
    """S-45: first..last settles all of them; neighbours with one outcome also go out as a range."""
    pair = Pair()
    _link, other = pair.link(Receiver)
    for number in range(5):
        other.send(b"x", tag=b"t" * 16, context=number)
    pair.turn()
    for number in range(4):
        pair.session.settle(number, frames.ACCEPTED, settled=False)
    pair.turn()
    assert [o.context for o in pair.of(pair.server, ev.Outcome)] == [0, 1, 2, 3]
    (sent,) = [f for f in frames_of(pair.wire[pair.client]) if f[1] == 0x15]
    assert sent[2][1:3] == [0, 3]


@pytest.mark.parametrize("last", [0, 3])
def test_settling_after_the_detach_is_ignored(last):
    """S-46: deliveries go with their link. azure-servicebus would take an answer for one to a request of its own with the
    same number (test_queue_message_settle_through_mgmt_link_due_to_broken_receiver_link)."""
    pair = Pair()
    link, other = pair.link(Receiver)
    for number in range(2):
        other.send(b"x", tag=b"t" * 16, context=number)
    pair.turn()
    link.detach()
    pair.client.output.write(frames.disposition(0, True, 0, last, False, frames.ACCEPTED))
    pair.turn()
    assert not pair.of(pair.server, ev.Outcome)
    pair.client.output.write(frames.disposition(0, True, 9, 9, False, frames.ACCEPTED))
    pair.turn()
    assert [outcome.context for outcome in pair.of(pair.server, ev.Outcome)] == [None]


def test_a_huge_range_costs_nothing():
    """S-45: the range comes from the peer; what is walked is what was sent."""
    pair = Pair()
    _link, other = pair.link(Receiver)
    other.send(b"x", tag=b"t" * 16, context="a")
    pair.turn()
    pair.client.output.write(frames.disposition(0, True, 0, 2**31 - 1, True, frames.ACCEPTED))
    pair.turn()
    assert [o.context for o in pair.of(pair.server, ev.Outcome)] == ["a"]


def test_long_outcomes_are_encoded_whole():
    """A rejected outcome with a long description still makes one well-formed disposition of six fields."""
    raw = frames.disposition(3, False, 1, 2, True, frames.rejected(AmqpError("amqp:not-found", "words " * 100)))
    ((channel, code, fields, rest),) = frames_of(raw)
    assert (channel, code, fields[:4], rest) == (3, 0x15, [False, 1, 2, True], b"")
    assert fields[4].value[0].value[1] == "words " * 100


def test_properties_to_modify_keep_their_types():
    """S-42: the annotations of a modified outcome are read with their exact AMQP types."""
    pair = Pair()
    _link, other = pair.link(Receiver)
    other.send(b"x", tag=b"t" * 16, context=1)
    pair.turn()
    state = described(frames.MODIFIED_CODE, True, False, {Symbol("n"): UInt(5)})
    pair.session.settle(0, state, settled=False)
    pair.turn()
    (outcome,) = pair.of(pair.server, ev.Outcome)
    assert type(outcome.fields[2]["n"]) is UInt


def test_refusal_is_an_attach_with_null_terminus_and_a_detach():
    """S-7, S-10: both in one flush, and the error has all three fields."""
    pair = Pair()
    pair.session.attach(Receiver, "l", source=frames.source("q"), target=frames.target("q"))
    pair.server.receive(pair.client.take_output())
    pair.server.links[max(pair.server.links)].refuse(AmqpError("amqp:not-found", "no such queue"))
    attach, detach = frames_of(pair.server.take_output())
    assert attach[2][5] is None
    assert attach[2][6] is None
    assert detach[2][1] is True
    assert detach[2][2].value == ["amqp:not-found", "no such queue", None]


def test_accepted_links_echo_both_termini():
    """S-6, S-8: the address comes back byte for byte, and neither terminus is null."""
    pair = Pair()
    address = "amqps://LocalHost:1234/My-Queue"
    link = pair.session.attach(Receiver, "l", source=frames.source(address), target=None)
    pair.turn()
    pair.attached().accept()
    pair.turn()
    attach = [f for f in frames_of(pair.wire[pair.server]) if f[1] == 0x12][-1][2]
    assert attach[5].value[0] == address
    assert len(attach[5].value) == 11
    assert attach[6] is not None
    assert attach[9] == 0
    assert isinstance(attach[13], dict)
    assert link.attach_sent
    assert not link.detach_sent


def test_frames_on_an_ended_channel_are_ignored():
    """Part B: azure-servicebus sends a detach after its end."""
    pair = Pair()
    link, _ = pair.link()
    pair.session.end()
    pair.turn()
    pair.client.output.write(frames.frame(0, described(frames.DETACH, UInt(link.handle), True, None)))
    pair.turn()
    assert not pair.server.closed
    assert len(pair.of(pair.server, ev.LinkDetached)) == 1


def test_frames_after_our_detach_are_ignored():
    """Transfers and flows that were on their way when we detached a link do no harm."""
    pair = Pair()
    link, other = pair.link()
    other.detach(AmqpError("amqp:link:detach-forced", "x"))
    link.send(b"late")
    pair.client.output.write(frames.flow(0, (0, 10, 0, 10), (link.handle, 0, 5, None, False)))
    pair.turn()
    assert not pair.server.closed
    assert pair.of(pair.server, ev.Delivery) == []
    assert pair.of(pair.client, ev.LinkDetached)[0].error.condition == "amqp:link:detach-forced"


def test_handles_are_used_again():
    """Detached handles are free on both sides."""
    pair = Pair()
    for _ in range(1_100):
        link = pair.session.attach(Sender, "l", source=frames.source("q"), target=frames.target("q"))
        pair.turn()
        pair.attached().accept()
        link.detach()
        pair.turn()
    assert not pair.server.closed
    assert pair.server_session.links == pair.server.links == {}


def test_heartbeats_at_half_of_the_peer_s_time_out():
    """S-4: a peer with an idle time-out of 10 s gets an empty frame every 5 s."""
    pair = Pair(idle_timeout=10.0)
    beats = 0
    now = 100.0
    for _ in range(40):
        pair.server.tick(now)
        beats += pair.server.take_output().count(b"\x00\x00\x00\x08\x02\x00\x00\x00")
        pair.server.receive(b"\x00\x00\x00\x08\x02\x00\x00\x00")
        now += 1.0
    assert 6 <= beats <= 8


def test_a_silent_peer_is_closed():
    """S-4: a peer that says nothing for our idle time-out is closed with an error."""
    pair = Pair()
    assert pair.server.tick(0.0) is not None
    assert pair.server.tick(239.0) is not None
    assert pair.server.tick(241.0) is None
    events = pair.server.receive(b"")
    assert isinstance(events[-1], ev.Closed)
    assert "idle time-out" in events[-1].error.description


def test_close_and_its_answer():
    """A close is answered with a close, and reported once."""
    pair = Pair()
    pair.client.close(AmqpError("amqp:connection:forced", "bye"))
    pair.turn()
    (closed,) = pair.of(pair.server, ev.Closed)
    assert closed.error.description == "bye"
    assert pair.client.closed


@pytest.mark.parametrize(
    ("raw", "condition"),
    [
        (b"\x7f\xff\xff\xff\x02\x00\x00\x00", "amqp:connection:framing-error"),
        (b"\x00\x00\x00\x04\x02\x00\x00\x00", "amqp:connection:framing-error"),
        (b"\x00\x00\x00\x0c\x09\x00\x00\x00\x00\x00\x00\x00", "amqp:connection:framing-error"),
        (frames.frame(0, described(0x10, "again")), "amqp:not-allowed"),
        (frames.frame(9, described(0x13, None, UInt(1))), "amqp:not-allowed"),
        (
            frames.frame(0, described(0x13, UInt(0), UInt(1), UInt(0), UInt(1), UInt(77))),
            "amqp:session:unattached-handle",
        ),
        (frames.frame(0, described(0x14, UInt(77))), "amqp:session:unattached-handle"),
        (frames.frame(0, described(0x12, "l", ["no handle"])), "amqp:invalid-field"),
        (frames.frame(0, described(0x12, "l", UInt(1), False, UInt(7))), "amqp:invalid-field"),
        (frames.frame(0, described(0x12, "l", UInt(1), False, None, UInt(2))), "amqp:invalid-field"),
        (frames.frame(1, described(0x11, None, "next", UInt(1), UInt(1))), "amqp:invalid-field"),
        (frames.frame(0, described(0x15, True, "first")), "amqp:invalid-field"),
        (frames.frame(0, described(0x13, "x", "y", UInt(0), UInt(0))), "amqp:invalid-field"),
        (frames.frame(0, described(0x55)), "amqp:connection:framing-error"),
        (frames.frame(0, b"\x00\x53\x14\xc0\xff\x01"), "amqp:decode-error"),
        (frames.frame(0, described(0x11, UInt(5), UInt(0), UInt(1), UInt(1))), "amqp:not-allowed"),
    ],
)
def test_forbidden_input_closes_the_connection(raw, condition):
    """What AMQP forbids ends in a close with a reason, never in an exception."""
    pair = Pair()
    events = pair.server.receive(raw)
    assert isinstance(events[-1], ev.Closed)
    assert events[-1].error.condition == condition
    assert frames_of(pair.server.take_output())[-1][1] == 0x18


@pytest.mark.parametrize("raw", [b"GET / HTTP/1.1\r\n", b"AMQP\x00\x00\x09\x01", frames.TLS_HEADER, b"\x16\x03\x01"])
def test_other_protocols_are_refused(raw):
    """The server answers an unknown header with the one that it wants, and hangs up."""
    server = Connection(server=True, container_id="s")
    assert isinstance(server.receive(raw)[-1], ev.Closed)
    assert server.take_output() == frames.SASL_HEADER


def test_mutated_traffic_never_raises():
    """Bounded fuzzing: real traffic with bytes changed, cut and doubled is survived or closed with a reason."""
    pair = Pair()
    link, _other = pair.link()
    link.send(b"payload", tag=b"t" * 16)
    pair.turn()
    pair.session.settle(0, described(frames.MODIFIED_CODE, True, False, {Symbol("a"): 1}), settled=False)
    pair.client.close()
    pair.turn()
    traffic = pair.wire[pair.client]
    chance = random.Random(7)
    for _ in range(1_500):
        raw = bytearray(traffic)
        for _ in range(chance.randint(1, 6)):
            at = chance.randrange(len(raw))
            match chance.randint(0, 3):
                case 0:
                    raw[at] = chance.randrange(256)
                case 1:
                    del raw[at : at + chance.randint(1, 9)]
                case 2:
                    raw[at:at] = chance.randbytes(chance.randint(1, 9))
                case _:
                    raw += raw[at : at + 40]
        server = Connection(server=True, container_id="s")
        for start in range(0, len(raw), 97):
            for event in server.receive(bytes(raw[start : start + 97])):
                if isinstance(event, ev.SaslInit):
                    server.sasl_outcome(True)
                elif isinstance(event, ev.LinkAttached):
                    pair.server.links[event.link].accept(max_message_size=1_000)
        server.take_output()


@pytest.mark.parametrize("tag", [b"", bytes(range(16))])
def test_short_transfers_say_what_long_ones_say(tag):
    """S-40: a settled transfer has no tag, as azure-servicebus' tests expect; both ways of writing one agree."""
    short = frames.short_transfer(1, 2, 3, tag, True, False, 4) + b"body"
    long = frames.transfer(1, 2, 3, tag, 0, True, False, b"body")
    assert len(short) == int.from_bytes(short[:4], "big")
    (fields, end), (expected, long_end) = decode.fields(short, 11), decode.fields(long, 11)
    assert fields == expected == [2, 3, tag, 0, True, False, None, None, False, False, False]
    assert short[end:] == long[long_end:] == b"body"


def test_nothing_is_said_after_the_end():
    """A connection that failed before it was open is not opened and closed on the way out: the socket takes no more bytes."""
    server = Connection(server=True, container_id="s")
    server.receive(b"GET / HTTP/1.1\r\n")
    server.take_output()
    server.close(AmqpError("amqp:connection:forced", "The server is shutting down."))
    assert server.take_output() == b""
