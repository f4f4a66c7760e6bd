"""The gateway over real sockets: who gets in, what is kept from whom, and what happens with time."""

from __future__ import annotations

import socket

import pytest

from peeklock.servicebus import (
    AccessRule,
    Client,
    Emulator,
    ManualClock,
    OutgoingMessage,
    Queue,
    ServiceBusError,
    Topology,
)
from peeklock.servicebus.amqp import Envelope, Receiver, Sender, frames
from peeklock.servicebus.amqp.encode import encode
from peeklock.servicebus.amqp.sections import build
from peeklock.servicebus.amqp.types import Symbol, UInt
from peeklock.servicebus.auth import make_token
from peeklock.servicebus.client.channel import Channel
from peeklock.servicebus.gateway import Limits

RULES = (AccessRule(), AccessRule("listen", "lk", ("Listen",)), AccessRule("send", "sk", ("Send",)))


@pytest.fixture(scope="module")
def bus():
    topology = Topology(
        queues={"q": Queue(lock_duration=5), "small": Queue(max_size_in_megabytes=1)}, access_rules=RULES
    )
    with Emulator(topology, clock=ManualClock()) as emulator:
        yield emulator


@pytest.fixture
def channel(bus):
    """A connection without any token."""
    bus.reset()
    channel = Channel("127.0.0.1", bus.port, tls=False, timeout=5)
    yield channel
    channel.close()


def put_token(channel, bus, *, seconds=3600, rule="RootManageSharedAccessKey", key="SAS_KEY_VALUE", uri="sb://h/"):
    token = make_token(uri, rule, key, int(bus.clock.now() + seconds))
    fields = {"operation": "put-token", "type": "jwt", "name": uri}
    return channel.request("$cbs", fields, encode(token), codes=("status-code", "status-description"))


def refused(action):
    with pytest.raises(ServiceBusError) as caught:
        action()
    return caught.value


def test_without_a_token_nothing_can_be_read_or_written(bus, channel):
    """S-23: no sender, no receiver and no $management without a claim, whether the entity exists or not."""
    for attach in (
        lambda: channel.attach_sender("q"),
        lambda: channel.attach_receiver("q", settled=False),
        lambda: channel.attach_receiver("nope", settled=False),
        lambda: channel.request(
            "q/$management", {"operation": "com.microsoft:peek-message"}, encode({}), codes=("a", "b")
        ),
    ):
        assert refused(attach).condition == "amqp:unauthorized-access"


def test_rights_are_kept_apart(bus, channel):
    """S-23: Listen does not send, Send does not receive, and $management asks per operation."""
    put_token(channel, bus, rule="listen", key="lk")
    error = refused(lambda: channel.attach_sender("q"))
    assert "'Send' claim(s) are required to perform this operation" in error.description
    channel.attach_receiver("q", settled=False)
    codes = ("statusCode", "statusDescription")
    schedule = {"operation": "com.microsoft:schedule-message"}
    error = refused(lambda: channel.request("q/$management", schedule, encode({"messages": []}), codes=codes))
    assert error.condition == "amqp:unauthorized-access"


def test_a_token_for_management_alone(bus, channel):
    """S-19, S-25: @azure/service-bus asks for a token for `queue/$management`: that is enough for it, and for no more."""
    assert put_token(channel, bus, uri="sb://h/q/$management")[0] == 200
    peek = {"operation": "com.microsoft:peek-message"}
    arguments = encode({"from-sequence-number": 0, "message-count": UInt(1)})
    assert channel.request("q/$management", peek, arguments, codes=("statusCode", "statusDescription"))[0] == 204
    assert refused(lambda: channel.attach_sender("q")).condition == "amqp:unauthorized-access"


def test_cbs_answers_like_the_service(bus, channel):
    """S-20, S-22: 401 and 404 with the service's words; existence is told only after the rights were checked."""
    assert put_token(channel, bus)[0] == 200
    assert "could not be found" in refused(lambda: put_token(channel, bus, uri="sb://h/nope")).description
    assert refused(lambda: put_token(channel, bus, uri="sb://h/nope", key="bad")).condition == "status:401"
    assert "ExpiredToken" in refused(lambda: put_token(channel, bus, seconds=-5)).description


def test_expired_token_detaches_its_links(bus, channel):
    """S-24: when a token runs out without renewal its links are detached; with a renewal they stay."""
    put_token(channel, bus, seconds=100)
    link = channel.attach_sender("q")
    bus.advance(50)
    put_token(channel, bus, seconds=100)
    bus.advance(60)
    channel.send(link, [b"\x00\x53\x75\xa0\x01x"])
    bus.advance(41)
    error = refused(lambda: channel.wait(lambda: channel.check(link), "the detach"))
    assert error.condition == "amqp:unauthorized-access"
    assert "expired" in error.description
    assert refused(lambda: channel.attach_sender("q")).condition == "amqp:unauthorized-access"


def test_a_renewal_is_told(bus, channel):
    """S-24: the ledger tells of every new token that takes the place of an older one on a connection, and a receiver of which
    connection it is on and until when it may receive."""
    put_token(channel, bus, seconds=100)
    start = bus.ledger.cursor
    channel.attach_receiver("q", settled=False)
    (before,) = bus.entities()[0]["receivers"]
    bus.advance(50)
    assert [entry for entry in bus.ledger.entries(start) if entry.event == "token_renewed"] == []
    put_token(channel, bus, seconds=100)
    (after,) = bus.entities()[0]["receivers"]
    assert after["connection"] == before["connection"]
    assert after["authorized_until"] - before["authorized_until"] == pytest.approx(50, abs=2)
    (entry,) = [entry for entry in bus.ledger.entries(start) if entry.event == "token_renewed"]
    assert entry.details["principal"] == "RootManageSharedAccessKey"
    assert (entry.details["connection"], entry.details["expires"]) == (after["connection"], after["authorized_until"])


def test_refusals_name_their_condition(bus, channel):
    """S-7, S-51, S-60: missing entities, DLQ senders, session filters and topics."""
    put_token(channel, bus)
    assert refused(lambda: channel.attach_sender("nope")).condition == "amqp:not-found"
    assert refused(lambda: channel.attach_sender("q/$DeadLetterQueue")).condition == "amqp:not-allowed"
    assert refused(lambda: channel.attach_receiver("t/Subscriptions/s", settled=False)).condition == "amqp:not-found"
    for source, target, kind, condition in (
        (
            frames.source("q", filters={Symbol("com.microsoft:session-filter"): None}),
            frames.target("x"),
            Receiver,
            "amqp:not-allowed",
        ),
        (frames.source(None), frames.target(None), Sender, "amqp:invalid-field"),
    ):
        link = channel.session.attach(kind, f"l{condition}{kind}", source=source, target=target)
        assert refused(lambda link=link: channel.wait(lambda: channel.check(link), "refusal")).condition == condition


def test_sender_is_told_the_limits(bus, channel):
    """S-16, S-64, S-66: max-message-size 262144; a message over it and a full queue are rejected with their conditions."""
    put_token(channel, bus)
    link = channel.attach_sender("small")
    assert link.remote_max_message_size == 262_144
    message = OutgoingMessage(b"x" * 200_000).encode()
    assert refused(lambda: channel.send(link, [message + message])).condition == "amqp:link:message-size-exceeded"
    full = refused(lambda: [channel.send(link, [message]) for _ in range(6)])
    assert full.condition == "amqp:resource-limit-exceeded"
    assert refused(lambda: channel.send(link, [b"junk"])).condition == "amqp:decode-error"


def test_settled_dispositions_get_no_answer(bus, channel):
    """S-43: a pre-settled disposition is obeyed in silence; an unknown delivery-id that wants an answer has lost its lock."""
    put_token(channel, bus)
    channel.send(channel.attach_sender("q"), [OutgoingMessage(b"x").encode()])
    link = channel.attach_receiver("q", settled=False)
    link.grant(1)
    channel.wait(lambda: channel.inbox.get(link.id), "a message")
    number = channel.inbox[link.id][0].id
    channel.session.settle(number, frames.ACCEPTED, settled=True)
    error = refused(lambda: channel.settle(number + 50, link, frames.ACCEPTED))
    assert error.condition == "com.microsoft:message-lock-lost"
    assert number not in channel.settled
    assert bus.entities()[0]["locked"] == 0


def test_the_echo_of_a_settlement(bus, channel):
    """S-41, section 2.4 (2): the same outcome comes back, settled; that of a dead-lettering carries no error."""
    put_token(channel, bus)
    channel.send(channel.attach_sender("q"), [OutgoingMessage(b"x").encode() for _ in range(5)])
    link = channel.attach_receiver("q", settled=False)
    link.grant(5)
    channel.wait(lambda: len(channel.inbox.get(link.id, [])) == 5, "five messages")
    for event, state in zip(
        channel.inbox[link.id],
        [
            frames.ACCEPTED,
            frames.modified(True, True),
            frames.rejected(None),
            frames.modified(True, False),
            frames.RELEASED,
        ],
        strict=True,
    ):
        channel.session.settle(event.id, state, settled=False)
        channel.wait(lambda event=event: event.id in channel.settled, "the echo")
        code, fields = channel.settled.pop(event.id)
        assert code == state[2]
        assert code != frames.REJECTED_CODE or fields == [None]
    assert len(channel.inbox[link.id][0].tag) == 16


def test_a_refused_token_has_no_error_condition(bus, channel):
    """S-21: azure-servicebus loses status and description when the answer of $cbs has one."""
    sender, receiver = channel._open_pair("$cbs")
    fields = {"operation": "put-token", "type": "jwt", "name": "sb://h/q"}
    token = make_token("sb://h/q", "RootManageSharedAccessKey", "not-the-key", int(bus.clock.now() + 60))
    properties = ["1", None, None, None, receiver.target.value[0]]
    channel.send(sender, [build(properties=properties, application_properties=fields, value=encode(token))])
    channel.wait(lambda: channel.inbox.get(receiver.id), "the answer")
    answer = Envelope(channel.inbox[receiver.id][0].payload).application_properties()
    assert (set(answer), answer["status-code"]) == ({"status-code", "status-description"}, 401)


def test_lock_expired_under_a_receiver(bus, channel):
    """S-44: the answer to a late settlement is rejected with message-lock-lost."""
    put_token(channel, bus)
    channel.send(channel.attach_sender("q"), [OutgoingMessage(b"x").encode()])
    link = channel.attach_receiver("q", settled=False)
    link.grant(1)
    channel.wait(lambda: channel.inbox.get(link.id), "a message")
    bus.advance(5)
    error = refused(lambda: channel.settle(channel.inbox[link.id][0].id, link, frames.ACCEPTED))
    assert error.condition == "com.microsoft:message-lock-lost"


def test_reset_keeps_links_and_credit(bus, channel):
    """Reset: connections, links and credit stay; a message of the old life cannot be settled in the new one."""
    put_token(channel, bus)
    sender, waiting = channel.attach_sender("small"), channel.attach_receiver("q", settled=True)
    with Client(bus.connection_string()) as client:
        client.send("q", [OutgoingMessage(b"old")])
        (old,) = client.receive("q")
        waiting.grant(1)
        channel.send(sender, [OutgoingMessage(b"x").encode()])  # its outcome comes after the credit was read
        bus.reset()
        assert refused(lambda: client.complete(old)).condition == "com.microsoft:message-lock-lost"
        client.send("q", [OutgoingMessage(b"new")])
    channel.wait(lambda: channel.inbox.get(waiting.id), "a message by the credit of before")
    assert Envelope(channel.inbox[waiting.id][0].payload).body()[1] == [b"new"]


def test_client_survives_a_lost_connection(bus):
    """The client connects anew when its idle connection has gone."""
    with Client(bus.connection_string()) as client:
        client.send("q", [OutgoingMessage(b"1")])
        bus.call(lambda server: [peer.abort() for peer in list(server.context.connections.amqp)])
        client.send("q", [OutgoingMessage(b"2")])
    assert "SAS_KEY_VALUE" not in repr(client)


def test_plain_mechanism(bus):
    """S-2: SASL PLAIN with a rule's name and key works, and with a wrong key does not."""
    for key, expected in ((b"lk", 0), (b"bad", 1)):
        with socket.create_connection(("127.0.0.1", bus.port), 5) as raw:
            body = b"\x00\x53\x41" + encode([Symbol("PLAIN"), b"\0listen\0" + key, "h"])
            raw.sendall(frames.SASL_HEADER + frames.frame(0, body, kind=1))
            seen = b""
            while b"\x00\x53\x44" not in seen:
                seen += raw.recv(4096)
            assert seen.startswith(frames.SASL_HEADER)
            assert b"\xe0" in seen  # the mechanisms are an array
            at = seen.index(b"\x00\x53\x44")
            assert seen[at + 6 : at + 8] == bytes((0x50, expected))


def test_hostile_bytes_do_no_harm(bus):
    """Bounded: garbage, cut frames and impatient peers are answered or dropped, and the next client is served."""
    for data in (
        b"\x00" * 64,
        b"GET / HTTP/1.1\r\n\r\n",
        frames.SASL_HEADER + b"\xff" * 64,
        b"AMQP",
        b"\x16\x03\x01\x02",
    ):
        with socket.create_connection(("127.0.0.1", bus.port), 5) as raw:
            raw.sendall(data)
            raw.shutdown(socket.SHUT_WR)
            while raw.recv(65_536):
                pass
    with Client(bus.connection_string()) as client:
        client.send("q", [OutgoingMessage(b"still here")])


def test_useless_connections_are_closed():
    """S-5: no link within the limit, and nothing done for the other limit: closed with the service's words."""
    limits = Limits(unauthenticated=0.05, connection=0.3)
    with Emulator(Topology(queues={"q": Queue()}), limits=limits) as bus:
        lazy = Channel("127.0.0.1", bus.port, tls=False, timeout=5)
        error = refused(lambda: lazy.wait(lambda: False, "the close"))
        assert error.condition == "amqp:connection:forced"
        assert error.description.startswith("The connection was inactive for more than the allowed 50 milliseconds")
        lazy.close()
        idle = Channel("127.0.0.1", bus.port, tls=False, timeout=5)
        put_token(idle, bus)
        idle.attach_sender("q")
        assert "allowed 300 milliseconds" in refused(lambda: idle.wait(lambda: False, "the close")).description
        idle.close()


def test_a_slow_reader_is_not_flooded():
    """Back-pressure: a receiver that does not read gets no more than the connection's buffers hold."""
    with Emulator(Topology(queues={"q": Queue()})) as bus, Client(bus.connection_string()) as client:
        body = OutgoingMessage(b"x" * 200_000)
        for _ in range(200):
            client.send("q", [body])
        channel = Channel("127.0.0.1", bus.port, tls=False, timeout=5)
        channel._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        put_token(channel, bus)
        link = channel.attach_receiver("q", settled=True)
        link.grant(1_000)
        channel.flush()
        bus.ledger.wait_for(lambda entries: any(e.event == "received_and_deleted" for e in entries))
        buffered = bus.call(
            lambda server: max(peer._transport.get_write_buffer_size() for peer in server.context.connections.amqp)
        )
        assert buffered < 8 << 20
        assert bus.entities()[0]["active"] > 100
        channel.wait(lambda: len(channel.inbox.get(link.id, [])) == 200, "all messages", 20)
        channel.close()


def test_premium_sizes_go_through():
    """S-16, S-18: a queue that takes 20 MB messages gets and gives them in many transfers."""
    topology = Topology(queues={"q": Queue(max_message_size_in_kilobytes=20 << 10)})
    with Emulator(topology) as bus, Client(bus.connection_string()) as client:
        body = bytes(range(256)) * (4 << 12)
        client.send("q", [OutgoingMessage(body)])
        (message,) = client.receive("q", wait=20)
        assert message.body == body
        client.complete(message)


def test_batch_refused_as_a_whole(bus, channel):
    """S-65: one unreadable inner message, and none of the batch is taken."""
    put_token(channel, bus)
    link = channel.attach_sender("q")
    good = b"\x00\x53\x75" + encode(OutgoingMessage(b"ok").encode())
    bad = b"\x00\x53\x75" + encode(b"junk")
    assert refused(lambda: channel.send(link, [good + bad], 0x80013700)).condition == "amqp:decode-error"
    assert bus.entities()[0]["active"] == 0


def test_management_errors(bus, channel):
    """S-27, S-30: statusCode and errorCondition tell what was wrong; unknown operations are not implemented."""
    put_token(channel, bus)
    codes = ("statusCode", "statusDescription")

    def ask(operation, arguments):
        fields = {"operation": f"com.microsoft:{operation}", "com.microsoft:server-timeout": UInt(1000)}
        return refused(lambda: channel.request("q/$management", fields, encode(arguments), codes=codes))

    assert ask("renew-lock", {}).condition == "com.microsoft:argument-error"
    assert ask("no-such-operation", {}).condition == "amqp:not-implemented"
    assert "is no subscription" in ask("add-rule", {}).description
    assert ask("cancel-scheduled-message", {"sequence-numbers": [99]}).condition == "com.microsoft:message-not-found"
    assert ask("update-disposition", {"disposition-status": "odd", "lock-tokens": ["x"]}).condition.endswith(
        "argument-error"
    )


def test_who_asks_and_does_not_read_is_hung_up_on(bus, channel, monkeypatch):
    """Back-pressure: replies have no credit that would end them, so that unread ones end the connection; the bytes of messages
    do not count, as one alone may be longer."""
    monkeypatch.setattr("peeklock.servicebus.gateway.output_buffer.UNREAD_LIMIT", 2 << 20)
    put_token(channel, bus)
    sender = channel.attach_sender("q")
    for _ in range(20):
        channel.send(sender, [OutgoingMessage(b"x" * 200_000).encode()])
    codes = ("statusCode", "statusDescription")
    request = {"operation": "com.microsoft:peek-message"}
    arguments = {"from-sequence-number": 0, "message-count": 20}
    channel.request("q/$management", request, encode(arguments), codes=codes)
    link = channel._pairs["q/$management"][0]
    raw = build(application_properties=request, value=encode(arguments))

    def ask():
        for _ in range(100):
            link.send(raw, settled=True)
            channel.flush()
            bus.call(lambda server: None)
        channel.wait(lambda: False, "the end")

    with pytest.raises((ServiceBusError, OSError)):
        ask()
    assert bus.call(
        lambda server: all(peer.name != channel.amqp.container_id for peer in server.context.connections.amqp)
    )
