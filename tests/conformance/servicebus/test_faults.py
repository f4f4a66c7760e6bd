"""Faults: what a client meets when a test has asked for trouble, and what the ledger tells of it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from peeklock.servicebus import (
    AccessRule,
    Client,
    Emulator,
    ManualClock,
    OutgoingMessage,
    Queue,
    ServiceBusError,
    Subscription,
    Topic,
    Topology,
    TopologyError,
)
from peeklock.servicebus.auth import make_token
from peeklock.servicebus.broker import BrokerError
from peeklock.servicebus.client.channel import Channel

TOPOLOGY = Topology(
    queues={"q": Queue(lock_duration=30, max_delivery_count=2), "other": Queue(), "s": Queue(requires_session=True)},
    topics={"t": Topic(subscriptions={"sub": Subscription()})},
)


@pytest.fixture(scope="module")
def shared() -> Iterator[Emulator]:
    with Emulator(TOPOLOGY, clock=ManualClock()) as emulator:
        yield emulator


@pytest.fixture
def bus(shared: Emulator) -> Emulator:
    shared.start = shared.reset()  # type: ignore[attr-defined]
    return shared


@pytest.fixture
def client(bus: Emulator) -> Iterator[Client]:
    with Client(bus.connection_string(), timeout=5) as client:
        yield client


def send(client: Client, *ids: str, to: str = "q") -> None:
    client.send(to, [OutgoingMessage(b"x", message_id=name) for name in ids])


def faults_in(bus: Emulator) -> list[tuple[str, str, Any]]:
    """Phase, entity and sequence number of the entries about faults."""
    entries = bus.ledger.entries(bus.start)  # type: ignore[attr-defined]
    return [
        (e.details["phase"], e.entity, e.message.sequence if e.message else 0) for e in entries if e.event == "fault"
    ]


def states(bus: Emulator) -> dict[str, tuple[int, bool]]:
    return {each["id"]: (each["struck"], each["active"]) for each in bus.faults.listing()}


def test_a_dropped_settlement_is_success_for_the_client_alone(bus: Emulator, client: Client) -> None:
    """The client is told success (S-41), the message stays locked until its lock ends and comes again (S-46, S-49)."""
    fault = bus.faults.drop_settlement("q")
    send(client, "m")
    (message,) = client.receive("q")
    client.complete(message)
    assert bus.entities()[0]["locked"] == 1
    assert client.receive("q", 1, 0.05) == []
    bus.advance(31)
    (again,) = client.receive("q")
    assert (again.sequence_number, again.delivery_count) == (message.sequence_number, 1)
    client.complete(again)
    assert bus.entities()[0]["locked"] == 0
    assert states(bus) == {fault: (1, False)}
    assert faults_in(bus) == [("begin", "q", 0), ("strike", "q", message.sequence_number), ("end", "q", 0)]


@pytest.mark.parametrize("settlement", ["abandon", "defer", "dead_letter"])
def test_only_the_chosen_settlement_is_dropped(bus: Emulator, client: Client, settlement: str) -> None:
    """`settlement` and `message_id` say which; the echo is that of the outcome that was asked for (S-41)."""
    bus.faults.drop_settlement("q", settlement=settlement, message_id="b")
    send(client, "a", "b", "c")
    first, second, third = client.receive("q", 3)
    getattr(client, settlement)(first)
    getattr(client, settlement)(second)
    client.complete(third)
    assert bus.faults.listing()[0]["struck"] == 1
    found = bus.entities()[0]
    assert found["locked"] == 1
    assert found["active"] + found["deferred"] + found["dead_letter"] == 1


def test_a_lost_lock_stays_a_lost_lock(bus: Emulator, client: Client) -> None:
    """S-44: a fault makes no lost lock look well, and is not used up by it."""
    bus.faults.drop_settlement("q")
    send(client, "m")
    (message,) = client.receive("q")
    bus.advance(31)
    with pytest.raises(ServiceBusError, match="message-lock-lost"):
        client.complete(message)
    assert bus.faults.listing()[0]["left"] == 1


def test_settlements_by_management_and_by_rest_are_dropped_too(bus: Emulator, client: Client) -> None:
    """S-28, S-79: whatever way a settlement takes."""
    bus.faults.drop_settlement("q", times=None)
    send(client, "m")
    (message,) = client.receive("q")
    client.close()  # the next connection has no link that it came on: it settles through $management (S-46)
    client.complete(message)
    assert bus.entities()[0]["locked"] == 1
    bus.advance(31)
    headers = {
        "Authorization": make_token(f"http://127.0.0.1:{bus.port}/", AccessRule().name, AccessRule().key, 1 << 33)
    }
    with httpx.Client(base_url=f"http://127.0.0.1:{bus.port}", headers=headers) as http:
        taken = http.post("/q/messages/head?timeout=5")
        path = taken.headers["location"].partition("127.0.0.1")[2].partition("/")[2]
        assert http.delete(f"/{path}").status_code == 200
    assert bus.entities()[0]["locked"] == 1
    assert bus.faults.listing()[0]["struck"] == 2


def test_a_completed_message_comes_once_more(bus: Emulator, client: Client) -> None:
    """At-least-once made visible: same number, one more delivery, even past the maximum (S-49); then it is over."""
    bus.faults.deliver_twice("q")
    send(client, "m")
    (first,) = client.receive("q")
    client.complete(first)
    (second,) = client.receive("q")
    assert (second.sequence_number, second.delivery_count) == (first.sequence_number, 1)
    client.complete(second)
    assert client.receive("q", 1, 0.05) == []
    assert bus.entities()[0]["dead_letter"] == 0
    events = [e.event for e in bus.ledger.entries(bus.start)]  # type: ignore[attr-defined]
    assert events == ["fault", "enqueued", "delivered", "taken_back", "fault", "fault", "delivered", "completed"]


def test_each_message_comes_twice_not_for_ever(bus: Emulator, client: Client) -> None:
    """Until it is cleared the fault strikes each message once."""
    fault = bus.faults.deliver_twice("q", times=None)
    send(client, "a", "b")
    seen = []
    while found := client.receive("q", 2, 0.1):
        for message in found:
            seen.append(message.message_id)
            client.complete(message)
    assert sorted(seen) == ["a", "a", "b", "b"]
    assert states(bus) == {fault: (2, True)}
    bus.faults.end(fault)
    assert bus.faults.listing() == []


def test_a_message_reaches_a_second_receiver_while_the_first_works(bus: Emulator, client: Client) -> None:
    """`after` delivered: both have it, and the first one's lock is lost, as never two locks hold (S-44)."""
    bus.faults.deliver_twice("q", after="delivered")
    send(client, "m")
    (first,) = client.receive("q")
    with Client(bus.connection_string()) as other:
        (second,) = other.receive("q")
        assert second.sequence_number == first.sequence_number
        with pytest.raises(ServiceBusError, match="message-lock-lost"):
            client.complete(first)
        other.complete(second)


def test_many_double_deliveries_in_one_turn(bus: Emulator, client: Client) -> None:
    """Two thousand strikes in one turn: no recursion, and the order stays (S-56)."""
    bus.faults.deliver_twice("other", after="delivered", times=None)
    send(client, *(str(number) for number in range(1000)), to="other")
    got = client.receive("other", 2000, 2)
    assert len(got) == 2000
    assert [m.sequence_number for m in got] == sorted(m.sequence_number for m in got)


def test_locks_end_when_a_test_says_so(bus: Emulator, client: Client) -> None:
    """S-44, S-49: all of an entity, or one message's; the delivery counts, and the maximum holds."""
    send(client, "a", "b")
    first, second = client.receive("q", 2)
    bus.faults.expire_lock("q", message_id="a")
    with pytest.raises(ServiceBusError, match="message-lock-lost"):
        client.complete(first)
    client.complete(second)
    (again,) = client.receive("q")
    assert (again.message_id, again.delivery_count) == ("a", 1)
    bus.faults.expire_lock()
    assert bus.entities()[0]["dead_letter"] == 1
    assert [each["struck"] for each in bus.faults.listing()] == [1, 1]


def test_a_session_lock_ends_too(bus: Emulator, client: Client) -> None:
    """S-61: the session's lock ends with that of its message: the link is detached."""
    client.send("s", [OutgoingMessage(b"x", message_id="m", session_id="one")])
    with client.accept_session("s", "one") as session:
        (message,) = session.receive()
        bus.faults.expire_lock("s", message_id="m")
        with pytest.raises(ServiceBusError, match="session-lock-lost"):
            client.complete(message)


def test_a_busy_server_refuses_each_operation(bus: Emulator, client: Client) -> None:
    """S-30, S-76: `com.microsoft:server-busy` for sends, receivers, settlements and $management, N times."""
    send(client, "m")
    (message,) = client.receive("q")
    client.peek("q")
    bus.faults.server_busy("q", times=2, operations="send")
    for _ in range(2):
        with pytest.raises(ServiceBusError, match=r"com\.microsoft:server-busy"):
            send(client, "n")
    send(client, "n")
    until = bus.faults.server_busy("q", times=None, operations="settle, manage, receive")
    with pytest.raises(ServiceBusError, match="server-busy"):
        client.complete(message)
    with pytest.raises(ServiceBusError, match="server-busy"):
        client.peek("q")
    with Client(bus.connection_string()) as other, pytest.raises(ServiceBusError, match="server-busy"):
        other.receive("q")
    send(client, "o")
    bus.faults.end(until)
    client.close()  # the refusal has ended the delivery on its link: the lock is settled through $management (S-46)
    client.complete(message)


def test_links_are_detached_with_a_condition(bus: Emulator) -> None:
    """`amqp:link:detach-forced` by default; locks stay (S-46) and other links too."""
    channel = Channel("127.0.0.1", bus.port, tls=False, timeout=5)
    client = Client(bus.connection_string())
    token = make_token("sb://h/", AccessRule().name, AccessRule().key, int(bus.clock.now() + 60))
    from peeklock.servicebus.amqp.encode import encode

    fields = {"operation": "put-token", "type": "jwt", "name": "sb://h/"}
    channel.request("$cbs", fields, encode(token), codes=("status-code", "status-description"))
    sender, receiver = channel.attach_sender("q"), channel.attach_receiver("q", settled=False)
    other = channel.attach_sender("other")
    bus.faults.detach("q", links="senders")
    with pytest.raises(ServiceBusError, match="amqp:link:detach-forced"):
        channel.wait(lambda: channel.check(sender), "the detach")
    assert channel.usable(receiver)
    bus.faults.detach("q", condition="com.microsoft:entity-disabled")
    with pytest.raises(ServiceBusError, match="entity-disabled"):
        channel.wait(lambda: channel.check(receiver), "the detach")
    assert channel.usable(other)
    channel.close()
    client.close()
    assert [each["struck"] for each in bus.faults.listing()] == [1, 1]


@pytest.mark.parametrize(("abrupt", "words"), [(False, "amqp:connection:forced"), (True, None)])
def test_connections_are_closed(bus: Emulator, client: Client, abrupt: bool, words: str | None) -> None:
    """With words or without, those of an entity's clients; a client that comes back finds everything (S-46)."""
    send(client, "m")
    with Client(bus.connection_string()) as bystander:
        bystander.send("other", [OutgoingMessage(b"x")])
        channel = bystander._channel
        assert channel is not None
        bus.faults.close_connection("q", abrupt=abrupt)
        send(client, "n")  # it connects anew
        assert channel.poll()
        fault = bus.faults.close_connection(abrupt=abrupt)
        assert not channel.poll() or not channel.poll()
    assert states(bus)[fault][0] >= 1
    assert len(client.receive("q", 2, 1)) == 2


def test_a_fault_holds_for_an_entity_that_is_made_anew_and_for_a_whole_namespace(bus: Emulator, client: Client) -> None:
    """Entity None is everything, subscriptions and dead-letter queues too."""
    bus.faults.server_busy(None, times=None, operations="receive")
    for path in ("q", "t/Subscriptions/sub", "other/$DeadLetterQueue"):
        with pytest.raises(ServiceBusError, match="server-busy"):
            client.receive(path)
    bus.reset()
    assert bus.faults.listing() == []
    assert client.receive("q", 1, 0.05) == []


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"fault": "gremlin"}, "there is no fault 'gremlin'"),
        ({"fault": "drop_settlement", "times": 0}, "expected 1 or more"),
        ({"fault": "drop_settlement", "settlement": "eat"}, "drop_settlement.settlement is 'eat'"),
        ({"fault": "deliver_twice", "after": "lunch"}, "deliver_twice.after is 'lunch'"),
        ({"fault": "server_busy", "operations": "sleep"}, "server_busy.operations is 'sleep'"),
        ({"fault": "hold", "operation": "breath"}, "hold.operation is 'breath'"),
        ({"fault": "hold", "then": "sold"}, "hold.then is 'sold'"),
        ({"fault": "detach", "links": "chain"}, "detach.links is 'chain'"),
        ({"fault": "detach", "tims": 1}, "'tims' is not a known setting"),
        ([], "there is no fault None"),
    ],
)
def test_what_is_no_fault_is_refused_with_a_fix(bus: Emulator, document: Any, words: str) -> None:
    """Errors say what and how to fix it; nothing is begun."""
    with pytest.raises(TopologyError, match=words) as caught:
        bus.call(lambda server: server.administration.faults().begin(document))
    assert caught.value.fix
    with pytest.raises(BrokerError, match="could not be found"):
        bus.faults.detach("nowhere")
    with pytest.raises(BrokerError, match="There is no fault"):
        bus.faults.end("fault-0")
    assert bus.faults.listing() == []


def test_no_fault_leaves_nothing_in_the_way(bus: Emulator) -> None:
    """The hot path's one check finds None before the first fault and after the last."""
    assert bus.call(lambda server: server.namespace.entity("q").faults) is None
    fault = bus.faults.drop_settlement("q")
    assert bus.call(lambda server: server.namespace.entity("q").faults) is not None
    assert bus.call(lambda server: server.namespace.entity("other").faults) is None
    bus.faults.end(fault)
    assert bus.call(lambda server: server.namespace.entity("q").faults) is None


def wait_for_strike(bus: Emulator, fault: str) -> None:
    bus.ledger.wait_for(
        lambda entries: any(e.details.get("phase") == "strike" and e.details["fault_id"] == fault for e in entries)
    )


def test_a_held_settlement_is_neither_done_nor_answered(bus: Emulator, client: Client) -> None:
    """S-41, S-44: the message stays locked, the ledger tells; clearing the fault does what was held."""
    fault = bus.faults.hold("q", message_id="b")
    send(client, "a", "b")
    first, second = client.receive("q", 2)
    client.complete(first)
    with Client(bus.connection_string(), timeout=0.2) as hasty, ThreadPoolExecutor() as pool:
        send(hasty, "c")
        (third,) = hasty.receive("q")
        hasty.complete(third)
        waiting = pool.submit(client.complete, second)
        wait_for_strike(bus, fault)
        assert bus.entities()[0]["locked"] == 1
        assert not waiting.done()
        bus.faults.end(fault)
        waiting.result()
    assert bus.entities()[0]["locked"] == 0
    assert [phase for phase, _, _ in faults_in(bus)] == ["begin", "strike", "end"]


def test_what_is_held_for_a_client_that_has_gone_is_never_done(bus: Emulator) -> None:
    """S-46, S-49: as after a crash between the work and its completion: the lock ends, the message comes again."""
    fault = bus.faults.hold("q")
    with Client(bus.connection_string(), timeout=0.1) as client:
        send(client, "m")
        (message,) = client.receive("q")
        with pytest.raises((TimeoutError, OSError, ServiceBusError)):
            client.complete(message)
    bus.call(lambda server: [peer.abort() for peer in server.context.connections.amqp])
    bus.call(lambda _: None)  # a turn later they are gone
    bus.faults.end(fault)
    assert bus.entities()[0]["locked"] == 1
    bus.advance(31)
    with Client(bus.connection_string(), timeout=5) as client:
        (again,) = client.receive("q")
        assert (again.sequence_number, again.delivery_count) == (message.sequence_number, 1)
        client.complete(again)


def test_what_is_held_can_be_dropped(bus: Emulator) -> None:
    """`then: dropped`: not done though its client is there, as an operation that a crash has overtaken."""
    fault = bus.faults.hold("q", then="dropped")
    with Client(bus.connection_string(), timeout=0.1) as client:
        send(client, "m")
        (message,) = client.receive("q")
        with pytest.raises((TimeoutError, OSError, ServiceBusError)):
            client.complete(message)
        bus.faults.end(fault)
        assert bus.entities()[0]["locked"] == 1


@pytest.mark.parametrize(("operation", "taken"), [("send", 0), ("answer", 1)])
def test_a_held_send_is_not_taken_and_a_held_answer_is_not_given(bus: Emulator, operation: str, taken: int) -> None:
    """S-30: its sender does not know in either case; the queue does."""
    fault = bus.faults.hold("q", operation=operation)
    with Client(bus.connection_string(), timeout=5) as client, ThreadPoolExecutor() as pool:
        waiting = pool.submit(send, client, "m")
        wait_for_strike(bus, fault)
        assert bus.entities()[0]["active"] == taken
        assert not waiting.done()
        bus.faults.clear()
        waiting.result()
    assert bus.entities()[0]["active"] == 1


def test_a_reset_forgets_what_is_held(bus: Emulator) -> None:
    """A held send does not come back in the next test's life."""
    fault = bus.faults.hold("q", operation="send")
    with Client(bus.connection_string(), timeout=0.1) as client:
        with pytest.raises((TimeoutError, OSError, ServiceBusError)):
            send(client, "m")
        wait_for_strike(bus, fault)
        bus.reset()
        assert bus.entities()[0]["active"] == 0
        assert bus.faults.listing() == []
        assert client.receive("q", 1, 0.05) == []


def rest(bus: Emulator) -> httpx.Client:
    token = make_token("http://127.0.0.1/q", AccessRule().name, AccessRule().key, int(bus.clock.now() + 600))
    return httpx.Client(base_url=f"http://127.0.0.1:{bus.port}", headers={"authorization": token}, trust_env=False)


@pytest.mark.parametrize(("operation", "taken"), [("send", 0), ("answer", 1)])
def test_a_send_over_rest_is_held(bus: Emulator, operation: str, taken: int) -> None:
    """S-78: as over AMQP."""
    fault = bus.faults.hold("q", operation=operation, message_id="m")
    with rest(bus) as http, ThreadPoolExecutor() as pool:
        waiting = pool.submit(
            http.post, "/q/messages", headers={"BrokerProperties": '{"MessageId": "m"}'}, content=b"x"
        )
        wait_for_strike(bus, fault)
        assert bus.entities()[0]["active"] == taken
        assert not waiting.done()
        bus.faults.end(fault)
        assert waiting.result().status_code == 201
    assert bus.entities()[0]["active"] == 1


def test_a_settlement_over_rest_is_held(bus: Emulator) -> None:
    """S-79: and dropped with its client."""
    with rest(bus) as http, ThreadPoolExecutor() as pool:
        http.post("/q/messages", content=b"x")
        place = http.post("/q/messages/head?timeout=5").headers["location"]
        dropped = bus.faults.hold("q", then="dropped")
        with pytest.raises(httpx.ReadTimeout):
            http.delete(place, timeout=0.1)
        bus.faults.end(dropped)
        assert bus.entities()[0]["locked"] == 1
        fault = bus.faults.hold("q")
        waiting = pool.submit(http.delete, place)
        wait_for_strike(bus, fault)
        assert bus.entities()[0]["locked"] == 1
        bus.faults.end(fault)
        assert waiting.result().status_code == 200
    assert bus.entities()[0]["locked"] == 0


def test_a_settlement_by_management_is_held(bus: Emulator, client: Client) -> None:
    """S-29, S-46: the way of a client that has lost its link."""
    send(client, "m")
    (message,) = client.receive("q")
    client.close()
    fault = bus.faults.hold("q", message_id="m")
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(client.complete, message)
        wait_for_strike(bus, fault)
        assert (bus.entities()[0]["locked"], waiting.done()) == (1, False)
        bus.faults.end(fault)
        waiting.result()
    assert bus.entities()[0]["locked"] == 0


def test_what_is_scheduled_is_held_as_a_send(bus: Emulator, client: Client) -> None:
    fault = bus.faults.hold("q", operation="send", message_id="m")
    at = datetime.fromtimestamp(bus.clock.now() + 60, UTC)
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(client.schedule, "q", OutgoingMessage(b"x", message_id="m"), at)
        wait_for_strike(bus, fault)
        assert (bus.entities()[0]["scheduled"], waiting.done()) == (0, False)
        bus.faults.end(fault)
        assert waiting.result() > 0
    assert bus.entities()[0]["scheduled"] == 1


def test_nth_lets_those_before_it_pass(bus: Emulator, client: Client) -> None:
    bus.faults.drop_settlement("q", nth=2)
    send(client, "a", "b", "c")
    for message in client.receive("q", 3):
        client.complete(message)
    struck = [entry.message_id for entry in bus.ledger.entries() if entry.details.get("phase") == "strike"]
    assert (struck[-1], bus.entities()[0]["locked"]) == ("b", 1)


def test_by_strikes_only_what_one_principal_does(bus: Emulator, client: Client) -> None:
    """A rule is meant with its replicas (`worker.1`); what others do is not even counted."""
    bus.faults.server_busy("q", operations="send", by="worker,somebody")
    send(client, "a")
    bus.faults.clear()
    bus.faults.server_busy("q", operations="send", by="RootManageSharedAccessKey")
    with pytest.raises(ServiceBusError, match="server-busy"):
        send(client, "b")


def test_an_nth_that_is_none_is_refused(bus: Emulator) -> None:
    with pytest.raises(TopologyError, match="nth is 0"):
        bus.faults.drop_settlement("q", nth=0)
