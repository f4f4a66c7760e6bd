"""Message sessions, drain and idle links over real sockets: what no SDK shows frame by frame."""

from __future__ import annotations

import http.client

import pytest

from peeklock.servicebus import Client, Emulator, ManualClock, OutgoingMessage, Queue, ServiceBusError, Topology
from peeklock.servicebus.amqp import Receiver, frames
from peeklock.servicebus.amqp.encode import encode
from peeklock.servicebus.amqp.types import Array, Described, Int, Symbol, Timestamp, UByte, UInt, ULong
from peeklock.servicebus.auth import make_token
from peeklock.servicebus.client.channel import Channel
from peeklock.servicebus.gateway import Limits

FILTER = Symbol("com.microsoft:session-filter")
ALL_SESSIONS = Timestamp(253_402_300_800_000)


@pytest.fixture(scope="module")
def shared():
    queues = {"s": Queue(requires_session=True, lock_duration=30, max_delivery_count=3), "q": Queue()}
    with Emulator(Topology(queues=queues), clock=ManualClock()) as emulator:
        yield emulator


@pytest.fixture
def bus(shared):
    shared.start = shared.reset()
    return shared


@pytest.fixture
def client(bus):
    with Client(bus.connection_string()) as client:
        yield client


@pytest.fixture
def channel(bus):
    """A connection with a token for everything."""
    channel = connect(bus)
    yield channel
    channel.close()


def connect(bus):
    channel = Channel("127.0.0.1", bus.port, tls=False, timeout=5)
    token = make_token("sb://h/", "RootManageSharedAccessKey", "SAS_KEY_VALUE", int(bus.clock.now() + 10_000))
    fields = {"operation": "put-token", "type": "jwt", "name": "sb://h/"}
    channel.request("$cbs", fields, encode(token), codes=("status-code", "status-description"))
    return channel


def ask(channel, operation, arguments, *, queue="s", link=None):
    fields = {"operation": f"com.microsoft:{operation}"}
    if link is not None:
        fields["associated-link-name"] = link
    return channel.request(f"{queue}/$management", fields, encode(arguments), codes=("statusCode", "statusDescription"))


def refused(action):
    with pytest.raises(ServiceBusError) as caught:
        action()
    return caught.value


def messages(session, *bodies):
    return [OutgoingMessage(body.encode(), session_id=session) for body in bodies]


def raw_attach(channel, source, properties=None):
    """Attach a receiver and wait for nothing."""
    link = channel.session.attach(
        Receiver,
        f"raw-{len(channel.session.links)}",
        source=source,
        target=frames.target("raw"),
        rcv_settle_mode=1,
        properties=properties,
    )
    channel.flush()
    return link


def test_the_answer_repeats_the_source_and_fills_in_the_session(bus, client, channel):
    """S-8, S-9, S-58: the address as it came, every other filter as it came, locked-until in .NET ticks."""
    client.send("s", messages("first", "1"))
    address = "amqps://some.host:1/s"
    other = Described(ULong(1), "x")
    link = raw_attach(channel, frames.source(address, filters={FILTER: None, Symbol("other"): other}))
    channel.wait(lambda: link.remote_handle is not None, "the attach")
    assert link.source.value[0] == address
    assert link.source.value[7] == {"com.microsoft:session-filter": "first", "other": other}
    ticks = link.properties["com.microsoft:locked-until-utc"]
    assert abs((ticks - 621_355_968_000_000_000) / 1e7 - bus.clock.now() - 30) < 0.001


def test_the_attach_is_answered_when_a_session_comes(bus, client, channel):
    """S-59: not before; then the messages flow on the credit that was given meanwhile."""
    link = raw_attach(channel, frames.source("s", filters={FILTER: None}))
    link.grant(5)
    assert ask(channel, "peek-message", {"from-sequence-number": 0, "message-count": Int(1)})[0] == 204
    assert link.remote_handle is None
    client.send("s", messages("x", "1"))
    channel.wait(lambda: channel.inbox.get(link.id), "a message")
    assert link.source.value[7] == {"com.microsoft:session-filter": "x"}


def test_waiting_ends_with_a_refusal_in_time(bus, channel):
    """S-17, S-59: com.microsoft:timeout in milliseconds, 65 s without; null termini and the reason (S-7)."""
    links = [
        raw_attach(channel, frames.source("s", filters={FILTER: None}), {"com.microsoft:timeout": UInt(2_000)}),
        raw_attach(channel, frames.source("s", filters={FILTER: None})),
    ]
    ask(channel, "peek-message", {"from-sequence-number": 0, "message-count": Int(1)})
    for link, seconds in zip(links, (2, 63), strict=True):
        bus.advance(seconds - 0.5)
        ask(channel, "peek-message", {"from-sequence-number": 0, "message-count": Int(1)})
        assert link.remote_handle is None
        bus.advance(0.6)
        error = refused(lambda link=link: channel.wait(lambda: channel.check(link), "the refusal"))
        assert error.condition == "com.microsoft:timeout"
        assert link.source is None


@pytest.mark.parametrize("cut", [False, True])
def test_who_gave_up_costs_no_session(bus, client, cut):
    """S-59: a detach before the answer is answered with both frames (S-11); a lost connection needs no answer."""
    channel = connect(bus)
    link = raw_attach(channel, frames.source("s", filters={FILTER: None}))
    if cut:
        channel.close()
        bus.call(lambda server: server.context.turns.end())
    else:
        link.detach()
        channel.wait(lambda: not channel.usable(link), "the answer to the detach")
    client.send("s", messages("x", "1"))
    with client.accept_session("s", wait=1) as session:
        assert session.session_id == "x"
    channel.close()
    accepted = [entry for entry in bus.ledger.entries(bus.start) if entry.event == "session_accepted"]
    assert len(accepted) == 1


@pytest.mark.parametrize(
    ("queue", "filters", "condition"),
    [
        ("s", None, "amqp:not-allowed"),
        ("q", {FILTER: "a"}, "amqp:not-allowed"),
        ("s/$DeadLetterQueue", {FILTER: "a"}, "amqp:not-allowed"),
        ("s", {FILTER: Int(1)}, "amqp:invalid-field"),
        ("s", {FILTER: "x" * 129}, "com.microsoft:argument-error"),
    ],
)
def test_what_does_not_fit_is_refused(bus, channel, queue, filters, condition):
    """S-51, S-60: plain receivers of session entities, and the other way round; ids that are none."""
    link = raw_attach(channel, frames.source(queue, filters=filters))
    error = refused(lambda: channel.wait(lambda: channel.check(link), "the refusal"))
    assert error.condition == condition


def test_a_session_from_end_to_end(bus, client):
    """S-28, S-31, S-58 to S-62: what the blocking client can do with a session."""
    client.send("s", messages("a", "1", "2"), batch=True)
    other = Client(bus.connection_string())
    with client.accept_session("s", "a") as session:
        assert refused(lambda: other.accept_session("s", "a")).condition == "com.microsoft:session-cannot-be-locked"
        first, second = session.receive(2)
        session.set_state(b"state")
        bus.advance(20)
        assert (session.renew().timestamp() - bus.clock.now()) == pytest.approx(30, abs=0.01)
        bus.advance(20)
        client.complete(first)
        client.abandon(second)
        (second,) = session.receive(1)
        assert second.delivery_count == 1
        assert session.get_state() == b"state"
        assert refused(lambda: client.renew(second)).condition == "amqp:not-allowed"
    with other.accept_session("s") as session:
        (second,) = session.receive(1)
        assert second.delivery_count == 1
        bus.advance(31)
        assert refused(session.get_state).condition == "com.microsoft:session-lock-lost"
        assert refused(session.receive).condition == "com.microsoft:session-lock-lost"
    other.close()


@pytest.mark.parametrize("asks", [False, True])
def test_who_receives_and_deletes_hears_of_a_lost_session_late(bus, client, channel, asks):
    """S-61: it has no message to lose, so its link is detached a moment later, or when it asks for more; a drain is
    answered, and the session is free at once."""
    link = channel.attach_session("s", "a", settled=True, patience=1)
    bus.advance(31)
    client.accept_session("s", "a").close()
    link.grant(2, drain=True)
    channel.wait(lambda: link.credit == 0, "the drain")
    assert channel.usable(link)
    if asks:
        link.grant(1)
    channel.wait(lambda: not channel.usable(link), "the detach")
    assert refused(lambda: channel.check(link)).condition == "com.microsoft:session-lock-lost"


def test_session_operations_belong_to_the_link_that_holds_it(bus, client, channel):
    """S-31: another link, another connection and nobody at all get session-lock-lost; peek needs no lock."""
    client.send("s", messages("a", "1"))
    operations = {
        "renew-session-lock": {},
        "get-session-state": {},
        "set-session-state": {"session-state": b"x"},
        "receive-by-sequence-number": {"sequence-numbers": Array.longs([1]), "receiver-settle-mode": UByte(1)},
        "update-disposition": {"disposition-status": "completed", "lock-tokens": []},
    }
    with client.accept_session("s", "a"):
        for operation, arguments in operations.items():
            for link in ("another", None):
                error = refused(
                    lambda o=operation, a=arguments, n=link: ask(channel, o, {"session-id": "a", **a}, link=n)
                )
                assert error.condition == "com.microsoft:session-lock-lost"
        peeked = ask(channel, "peek-message", {"from-sequence-number": 0, "message-count": Int(9), "session-id": "a"})
        assert len(peeked[1]["messages"]) == 1


def test_sessions_are_listed_in_pages(bus, client, channel):
    """S-28: skip and top; 204 with session-not-found when there is none; a plain queue has none to list."""
    client.send("s", [message for name in "cab" for message in messages(name, "x")])
    page = {"last-updated-time": ALL_SESSIONS, "skip": Int(1), "top": Int(100)}
    assert ask(channel, "get-message-sessions", page) == (200, {"skip": 1, "sessions-ids": ["b", "c"]})
    assert ask(channel, "get-message-sessions", {**page, "skip": Int(3)})[0] == 204
    assert ask(channel, "get-message-sessions", {**page, "last-updated-time": Timestamp(0)})[0] == 204
    assert refused(lambda: ask(channel, "get-message-sessions", page, queue="q")).condition == "amqp:not-allowed"
    bad = {**page, "top": Int(-1)}
    assert refused(lambda: ask(channel, "get-message-sessions", bad)).condition == "com.microsoft:argument-error"


def test_a_closed_entity_lets_its_sessions_go(bus, client, channel):
    """S-77: holders and those who wait are detached with entity-disabled; the messages are kept."""
    client.send("s", messages("a", "1"))
    links = []
    for _ in range(2):
        links.append(raw_attach(channel, frames.source("s", filters={FILTER: None})))
        ask(channel, "peek-message", {"from-sequence-number": 0, "message-count": Int(1)})
    assert links[0].remote_handle is not None
    bus.call(lambda server: server.administration.set_status("s", "ReceiveDisabled"))
    for link in links:
        error = refused(lambda link=link: channel.wait(lambda: channel.check(link), "the detach"))
        assert error.condition == "com.microsoft:entity-disabled"
    bus.call(lambda server: server.administration.set_status("s", "Active"))
    with client.accept_session("s", wait=1) as session:
        assert session.session_id == "a"


def test_rest_receives_no_sessions(bus):
    """S-60, S-79: a receive over HTTP has no session, so a session entity refuses it at once."""
    token = make_token("http://h/s", "RootManageSharedAccessKey", "SAS_KEY_VALUE", int(bus.clock.now() + 100))
    connection = http.client.HTTPConnection("127.0.0.1", bus.port, timeout=5)
    connection.request("POST", "/s/messages/head?timeout=60", headers={"Authorization": token, "Host": "h"})
    response = connection.getresponse()
    assert response.status == 400
    assert b"requires sessions" in response.read()
    connection.close()


def test_messages_are_deleted_in_batches(bus, client, channel):
    """S-28: the oldest, not the locked; 204 when there is nothing; at most 500 on this tier."""
    client.send("q", [OutgoingMessage(b"x") for _ in range(5)], batch=True)
    client.receive("q")
    bus.advance(1)
    now = Timestamp(int(bus.clock.now() * 1000))
    arguments = {"message-count": Int(3), "enqueued-time-utc": now}
    assert ask(channel, "batch-delete-messages", arguments, queue="q") == (200, {"message-count": 3})
    assert ask(channel, "batch-delete-messages", arguments, queue="q") == (200, {"message-count": 1})
    assert ask(channel, "batch-delete-messages", arguments, queue="q")[0] == 204
    many = {**arguments, "message-count": Int(501)}
    error = refused(lambda: ask(channel, "batch-delete-messages", many, queue="q"))
    assert error.condition == "com.microsoft:argument-out-of-range"
    events = [entry.event for entry in bus.ledger.entries(bus.start)]
    assert events.count("deleted") == 4


@pytest.mark.parametrize("there", [0, 2, 5])
def test_a_drain_sends_what_is_there_and_uses_the_credit_up(bus, client, channel, there):
    """S-12, S-14: delivery-count moves by the whole credit, nothing comes afterwards, later credit counts anew."""
    client.send("q", [OutgoingMessage(b"x") for _ in range(there)], batch=True)
    link = channel.attach_receiver("q", settled=True)
    before = link.delivery_count
    link.grant(4, drain=True)
    channel.wait(lambda: link.credit == 0, "the drain")
    assert link.delivery_count - before == 4
    assert len(channel.inbox.get(link.id, [])) == min(there, 4)
    client.send("q", [OutgoingMessage(b"y")])
    ask(channel, "peek-message", {"from-sequence-number": 0, "message-count": Int(1)}, queue="q")
    assert len(channel.inbox.get(link.id, [])) == min(there, 4)
    link.grant(10)
    left = max(0, there - 4) + 1
    channel.wait(lambda: len(channel.inbox.get(link.id, [])) == min(there, 4) + left, "the rest")
    assert link.credit == 10 - left


def test_a_drain_waits_for_the_window(bus, client, channel):
    """S-14: messages that the session's window holds back come before the answer to the drain."""
    client.send("q", [OutgoingMessage(b"x") for _ in range(6)], batch=True)
    session = channel.session.channel
    link = channel.attach_receiver("q", settled=True)
    session.output.write(
        frames.flow(session.number, (session.next_incoming_id, 2, session.next_outgoing_id, 100), None, False)
    )
    base = session.next_incoming_id
    session.output.write(
        frames.flow(session.number, (base, 2, session.next_outgoing_id, 100), (link.handle, 0, 8, None, True))
    )
    channel.wait(lambda: len(channel.inbox.get(link.id, [])) == 2, "as much as the window takes")
    ask_window = frames.flow(session.number, (session.next_incoming_id, 1000, session.next_outgoing_id, 100))
    assert link.delivery_count == 2
    link.credit = 6
    session.output.write(ask_window)
    channel.wait(lambda: link.delivery_count == 8, "the drain")
    assert len(channel.inbox[link.id]) == 6


def test_an_idle_link_is_detached_and_a_waiting_receiver_is_not():
    """S-5: detach-forced after the limit, in the service's words; the connection stays."""
    limits = Limits(link=0.2)
    with Emulator(Topology(queues={"q": Queue()}), limits=limits) as bus:
        channel = connect(bus)
        waiting = channel.attach_receiver("q", settled=False)
        waiting.grant(1)
        sender, receiver = channel.attach_sender("q"), channel.attach_receiver("q", settled=False)
        for link in (sender, receiver):
            error = refused(lambda link=link: channel.wait(lambda: channel.check(link), "the detach"))
            assert error.condition == "amqp:link:detach-forced"
            assert "Idle timeout: 00:00:00" in error.description
        assert len(bus.entities()[0]["receivers"]) == 1
        channel.send(channel.attach_sender("q"), [OutgoingMessage(b"x").encode()])
        channel.wait(lambda: channel.inbox.get(waiting.id), "the message")
        channel.close()


def test_an_entity_has_so_many_receivers_and_no_more():
    """1.3 Quotas: one more receiver is refused with resource-limit-exceeded."""
    with Emulator(Topology(queues={"q": Queue()}), limits=Limits(receivers=2)) as bus:
        channel = connect(bus)
        for _ in range(2):
            channel.attach_receiver("q", settled=False)
        error = refused(lambda: channel.attach_receiver("q", settled=False))
        assert error.condition == "amqp:resource-limit-exceeded"
        channel.close()
