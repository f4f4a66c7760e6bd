"""Peers that want too much: what nobody knows can neither read, write nor exhaust, and who is known has bounds, too."""

from __future__ import annotations

import asyncio
import gc
import socket
import ssl
import time
from asyncio.sslproto import SSLProtocol
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from peeklock.servicebus import AccessRule, Client, Emulator, OutgoingMessage, Queue, ServiceBusError, Topology
from peeklock.servicebus.amqp import Receiver, Sender, frames
from peeklock.servicebus.amqp.encode import encode
from peeklock.servicebus.amqp.sections import build
from peeklock.servicebus.auth import make_token
from peeklock.servicebus.client.channel import Channel
from peeklock.servicebus.gateway import Limits, certificates
from peeklock.servicebus.gateway.management import ManagementRequests
from peeklock.servicebus.http import HttpLimits, HttpListener, HttpReply, HttpRequest, HttpService

ROOT = AccessRule()
TOPOLOGY = Topology(queues={"q": Queue()})


def emulator(**limits: Any) -> Emulator:
    return Emulator(TOPOLOGY, limits=Limits(**limits))


def connect(bus: Emulator) -> socket.socket:
    return socket.create_connection(("127.0.0.1", bus.port), 10)


def until(bus: Emulator, condition: Callable[[Any], bool]) -> None:
    """Wait until something holds for the server: it learns of a connection a little later than its client."""

    async def turn() -> None:
        while not condition(bus.server):  # noqa: ASYNC110 -- nobody tells of it
            await asyncio.sleep(0.002)

    bus.run(asyncio.wait_for(turn(), 10))


def read_all(stream: socket.socket) -> bytes:
    """All that comes until the server hangs up."""
    found = b""
    try:
        while piece := stream.recv(65_536):
            found += piece
    except ConnectionResetError:
        pass
    return found


def send_for_ever(stream: socket.socket, data: bytes) -> None:
    for _ in range(4_000):
        stream.sendall(data)


def authenticated(bus: Emulator) -> Channel:
    channel = Channel("127.0.0.1", bus.port, tls=False, timeout=10)
    token = make_token("sb://h/", ROOT.name, ROOT.key, int(time.time()) + 60)
    fields = {"operation": "put-token", "type": "jwt", "name": "sb://h/"}
    channel.request("$cbs", fields, encode(token), codes=("status-code", "status-description"))
    return channel


@pytest.fixture(scope="module")
def bus() -> Iterator[Emulator]:
    with Emulator(TOPOLOGY) as emulator:
        yield emulator


# -- HTTP


@pytest.mark.parametrize("half", [b"POST /q/messages HTTP/1.1\r\nhost: h\r\n", b"POST /q/messages HTTP/1.1\r\nhost: h\r\ncontent-length: 9\r\n\r\nx"])  # fmt: skip
def test_a_half_sent_request_is_not_waited_for(half: bytes) -> None:
    """Slow-loris: 408 and good-bye, however the bytes drop in."""
    with emulator(request=0.3) as bus, connect(bus) as stream:
        stream.sendall(half)
        stream.sendall(b"x")
        answer = read_all(stream)
        assert answer.startswith(b"HTTP/1.1 408")
        assert b"was not there within 0.3 s" in answer
        until(bus, lambda server: not server.context.connections.other)


def test_an_idle_http_connection_is_closed() -> None:
    """Between two requests, too; a receive that waits is not idle."""
    with emulator(request=0.3, keep_alive=0.2) as bus:
        headers = {"Authorization": make_token(f"http://127.0.0.1:{bus.port}/", ROOT.name, ROOT.key, 1 << 33)}
        with httpx.Client(base_url=f"http://127.0.0.1:{bus.port}", headers=headers) as http:
            assert http.delete("/q/messages/head?timeout=1").status_code == 204
        with connect(bus) as stream:
            stream.sendall(b"GET /health HTTP/1.1\r\nhost: h\r\n\r\n")
            assert read_all(stream).count(b"HTTP/1.1") == 1
        until(bus, lambda server: not server.context.connections.other)


def test_long_headers_and_bodies_are_refused(bus: Emulator) -> None:
    """400 for a head past 64 KB; 413 for a body past 1 MB, past 64 KB from who shows no token."""
    with connect(bus) as stream:
        stream.sendall(b"GET /q HTTP/1.1\r\nhost: h\r\nx: " + b"y" * 70_000)
        assert read_all(stream).startswith(b"HTTP/1.1 4")
    url = f"http://127.0.0.1:{bus.port}/q/messages"
    good = {"Authorization": make_token(f"http://127.0.0.1:{bus.port}/q", ROOT.name, ROOT.key, 1 << 33)}
    bad = {"Authorization": make_token(f"http://127.0.0.1:{bus.port}/q", ROOT.name, "wrong", 1 << 33)}
    assert httpx.post(url, headers=good, content=b"x" * 200_000).status_code == 201
    for headers in ({}, bad):
        assert httpx.post(url, headers=headers, content=b"x" * 65_537).status_code == 413
    with pytest.raises((httpx.HTTPStatusError, httpx.WriteError, httpx.ReadError)):
        httpx.post(url, headers=good, content=b"x" * (2 << 20)).raise_for_status()


def test_who_does_not_wait_for_answers_is_hung_up_on(bus: Emulator) -> None:
    """Requests sent into a receive that waits are kept up to 1 MB."""
    bus.reset()
    token = make_token(f"http://127.0.0.1:{bus.port}/", ROOT.name, ROOT.key, 1 << 33)
    with connect(bus) as stream:
        stream.sendall(
            f"DELETE /q/messages/head?timeout=30 HTTP/1.1\r\nhost: h\r\nauthorization: {token}\r\n\r\n".encode()
        )
        with pytest.raises(OSError):
            send_for_ever(stream, b"GET /health HTTP/1.1\r\nhost: h\r\n\r\n" * 2_000)
        assert read_all(stream) == b""


def test_who_does_not_read_answers_gets_no_more_of_them() -> None:
    """What waits for an HTTP client is bounded by what the transport buffers, and it is hung up on in the end."""
    with emulator(keep_alive=0.5) as bus, connect(bus) as stream:
        stream.settimeout(1)
        with pytest.raises(OSError):
            send_for_ever(stream, b"GET /health HTTP/1.1\r\nhost: h\r\n\r\n" * 200)
        until(bus, lambda server: not server.context.connections.other)


def test_the_control_port_waits_for_nobody() -> None:
    """The same server for the control API and the issuer: a half-sent request, a long body, too many connections."""

    async def main() -> None:
        class Echo(HttpService):
            async def answer(self, request: HttpRequest) -> HttpReply:
                return HttpReply(200, request.body)

            def refusal(self, status: int, reason: str) -> HttpReply:
                return HttpReply(status, reason.encode())

        limits = HttpLimits(request=0.2, keep_alive=0.2, body=100)
        server = HttpListener(Echo(limits, lambda *_, **__: None), connections=2)
        port = await server.start("127.0.0.1", 0)

        async def say(text: bytes) -> bytes:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(text)
            try:
                return await reader.read()
            except ConnectionResetError:
                return b""
            finally:
                writer.close()

        half = b"GET / HTTP/1.1\r\nhost: h\r\n"
        long = b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 101\r\n\r\n" + b"x" * 101
        assert (await say(half)).startswith(b"HTTP/1.1 408")
        assert await say(b"") == b""
        assert (await say(long)).startswith(b"HTTP/1.1 413")
        assert (await say(b"GET / HTTP/1.1\r\nx: " + b"y" * 40_000)).startswith(b"HTTP/1.1 431")
        answers = await asyncio.gather(*(say(text) for text in (half, half, half + b"\r\n", half + b"\r\n")))
        assert [text[9:12] for text in answers] == [b"408", b"408", b"503", b"503"]
        answer_ok = await say(b"POST / HTTP/1.1\r\nhost: h\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok")
        assert answer_ok.endswith(b"\r\n\r\nok")
        await server.stop()

    asyncio.run(main())


# -- connections


def test_one_connection_too_many_is_refused_with_words() -> None:
    """AMQP: a close with the reason; HTTP: 503; those that are there go on, and the place is free again afterwards."""
    with emulator(connections=2) as bus:
        with Client(bus.connection_string()) as first, Client(bus.connection_string()) as second:
            first.send("q", [OutgoingMessage(b"x")])
            second.send("q", [OutgoingMessage(b"x")])
            with (
                Client(bus.connection_string(), timeout=5) as third,
                pytest.raises(
                    ServiceBusError, match=r"ConnectionsQuotaExceeded for namespace: sbemulatorns\. It has 2"
                ) as caught,
            ):
                third.send("q", [OutgoingMessage(b"x")])
            assert caught.value.condition == "amqp:resource-limit-exceeded"
            answer = httpx.get(f"http://127.0.0.1:{bus.port}/health")
            assert (answer.status_code, "ConnectionsQuotaExceeded" in answer.text) == (503, True)
            first.send("q", [OutgoingMessage(b"x")])
        until(bus, lambda server: not server.context.connections.amqp)
        with Client(bus.connection_string()) as fourth:
            fourth.send("q", [OutgoingMessage(b"x")])


def test_far_too_many_connections_are_not_even_told() -> None:
    """Beyond a few above the limit nothing is kept of a connection."""
    with emulator(connections=1, unauthenticated_connections=10_000) as bus:
        streams = [connect(bus) for _ in range(100)]
        until(bus, lambda server: len(server.context.connections.other) <= 65)
        assert b"" in [stream.recv(1) for stream in streams[-1:]]
        for stream in streams:
            stream.close()


def test_who_shows_no_token_makes_room_for_who_does() -> None:
    """Connections that never say who they are end oldest first; whoever has a token is never one of them."""
    with emulator(unauthenticated_connections=20) as bus, Client(bus.connection_string()) as client:
        client.send("q", [OutgoingMessage(b"x")])
        streams = []
        for number in range(60):
            stream = connect(bus)
            stream.sendall((frames.SASL_HEADER, b"", b"GET /", b"\x16\x03\x01\x00")[number % 4])
            streams.append(stream)
        until(bus, lambda server: server.context.connections.unauthenticated_count == 20)
        until(bus, lambda server: len(server.context.connections.amqp) + len(server.context.connections.other) <= 21)
        assert client._channel is not None
        assert client._channel.poll()
        with Client(bus.connection_string()) as late:
            late.send("q", [OutgoingMessage(b"x")])
        for stream in streams:
            stream.close()
        until(bus, lambda server: not server.context.connections.unauthenticated_count)


# -- inside one connection


def raised(channel: Channel, action: Callable[[], Any]) -> ServiceBusError:
    def act() -> None:
        action()
        channel.wait(lambda: False, "the close", 5)

    with pytest.raises(ServiceBusError) as caught:
        act()
    channel.close()
    return caught.value


def test_a_stranger_has_few_sessions_and_links(bus: Emulator) -> None:
    """16 sessions and 64 links are plenty for putting a token; afterwards there may be as many as the protocol has."""
    for known in (False, True):
        channel = authenticated(bus) if known else Channel("127.0.0.1", bus.port, tls=False, timeout=5)
        for _ in range(14 if known else 15):
            channel.amqp.begin()
        if not known:
            assert raised(channel, channel.amqp.begin).condition == "amqp:resource-limit-exceeded"
            continue
        channel.amqp.begin()
        channel.amqp.begin()
        for number in range(100):
            channel.session.attach(Sender, f"l{number}", source=frames.source("s"), target=frames.target("q"))
        channel.request("q/$management", {"operation": "com.microsoft:peek-message"}, PEEK, codes=CODES)
        channel.close()
    stranger = Channel("127.0.0.1", bus.port, tls=False, timeout=5)

    def attach() -> None:
        for number in range(65):
            stranger.session.attach(Sender, f"l{number}", source=frames.source("s"), target=frames.target("$cbs"))

    assert raised(stranger, attach).condition == "amqp:resource-limit-exceeded"


PEEK = encode({"from-sequence-number": 0, "message-count": 1})
CODES = ("statusCode", "statusDescription")


def begin_message(channel: Channel, link: Sender, number: int, payload: bytes) -> None:
    """Send a part of a message that never ends."""
    raw = frames.transfer(channel.session.channel.number, link.handle, number, bytes(4), 0, True, True, payload)
    channel.amqp.output.write(raw)
    channel.flush()


def test_a_stranger_leaves_little_unfinished(bus: Emulator) -> None:
    """256 KB of tokens that never end, spread over links, are the most; a token has 128 KB."""
    channel = Channel("127.0.0.1", bus.port, tls=False, timeout=5)
    links = [channel.attach_sender("$cbs") for _ in range(20)]

    def send() -> None:
        for number, link in enumerate(links):
            for _ in range(2):
                begin_message(channel, link, number, bytes(30_000))

    error = raised(channel, send)
    assert error.condition == "amqp:resource-limit-exceeded"
    assert "bytes of messages that are not whole" in error.description
    channel = Channel("127.0.0.1", bus.port, tls=False, timeout=5)
    fields = {"operation": "put-token", "type": "jwt", "name": "sb://h/"}
    with pytest.raises(ServiceBusError):
        channel.request("$cbs", fields, encode("x" * 140_000), codes=("status-code", "status-description"))
    channel.close()


def test_unfinished_messages_are_counted_down_again(bus: Emulator) -> None:
    """A message that gets whole, is aborted, or whose link goes, is not counted any more; parts without bytes cost nothing."""
    channel = authenticated(bus)
    (server_end,) = bus.call(lambda server: [p for p in server.context.connections.amqp if p.claims])
    link = channel.attach_sender("q")
    begin_message(channel, link, 900, b"x" * 1000)
    until(bus, lambda _: server_end.amqp.unfinished > 1000)
    for _ in range(1000):
        begin_message(channel, link, 900, b"")
    raw = frames.transfer(channel.session.channel.number, link.handle, 900, bytes(4), 0, True, False, b"")
    channel.amqp.output.write(raw)
    other = channel.attach_sender("q")
    assert bus.call(lambda _: server_end.amqp.unfinished) == 0
    begin_message(channel, other, 901, b"x" * 1000)
    other.detach()
    channel.flush()
    channel.attach_sender("q")
    assert bus.call(lambda _: server_end.amqp.unfinished) == 0
    channel.close()


def test_a_stranger_that_does_not_read_is_not_written_for(bus: Emulator) -> None:
    """What waits for a connection without a token is bounded at 128 KB."""
    channel = Channel("127.0.0.1", bus.port, tls=False, timeout=10)
    requests, replies = channel._open_pair("$cbs")
    fields = {"operation": "put-token", "type": "jwt", "name": "sb://h/" + "y" * 500}
    raw = build(properties=["m" * 500, *[None] * 12], application_properties=fields, value=encode("no token"))
    channel._socket.settimeout(10)

    def flood() -> None:
        replies.grant(1 << 30)
        for _ in range(40_000):
            requests.credit = 1000
            requests.send(raw, settled=True)
            channel.flush()

    with pytest.raises(OSError):
        flood()
    channel.close()


# -- answers that nobody reads


def ask_for_much(channel: Channel, count: int) -> Receiver:
    """Ask for all messages of `q`, so many times at once, without reading an answer; return the link on which they come."""
    if "q/$management" not in channel._pairs:
        channel.request("q/$management", {"operation": "com.microsoft:peek-message"}, PEEK, codes=CODES)
    sender, receiver = channel._pairs["q/$management"]
    all_of_it = encode({"from-sequence-number": 0, "message-count": 100})
    for number in range(count):
        ids = [f"r{number}", None, None, None, receiver.target.value[0], *[None] * 8]
        fields = {"operation": "com.microsoft:peek-message"}
        sender.credit = max(sender.credit, 10)
        sender.send(build(properties=ids, application_properties=fields, value=all_of_it), settled=True)
    channel.flush()
    return receiver


def ask_for_ever(channel: Channel) -> None:
    for _ in range(200):
        ask_for_much(channel, 1_000)


def test_requests_are_done_as_fast_as_their_answers_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of hundreds whose answers have megabytes each a handful is done until the client reads; then all are, in order."""
    done: list[str] = []
    execute = ManagementRequests.execute

    def counted(self: ManagementRequests, request: Any) -> Any:
        done.append(request.message_id)
        return execute(self, request)

    with Emulator(TOPOLOGY) as bus, Client(bus.connection_string()) as other:
        for _ in range(10):
            other.send("q", [OutgoingMessage(b"x" * 200_000)])
        channel = authenticated(bus)
        monkeypatch.setattr(ManagementRequests, "execute", counted)
        receiver = ask_for_much(channel, 200)
        until(bus, lambda _: len(done) > 2)
        other.send("q", [OutgoingMessage(b"y")])
        assert len(done) < 20
        box = channel.inbox.setdefault(receiver.id, [])
        answers = 0
        while answers < 200:
            channel.wait(lambda: box, "an answer", 30)
            answers += len(box)
            box.clear()
        assert done[1:] == [f"r{number}" for number in range(200)]
        channel.close()


def test_a_client_that_only_asks_is_hung_up_on() -> None:
    """Requests wait for their turn up to 16 MB, and not longer than that."""
    with Emulator(TOPOLOGY) as bus, Client(bus.connection_string()) as other:
        for _ in range(10):
            other.send("q", [OutgoingMessage(b"x" * 200_000)])
        channel = authenticated(bus)
        with pytest.raises(OSError):
            ask_for_ever(channel)
        until(bus, lambda server: len(server.context.connections.amqp) == 1)
        channel.close()


# -- TLS


@pytest.mark.parametrize("part", [0.5, 1.0])
def test_handshakes_that_do_not_end_are_bounded(part: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest has to go for a new one; nothing is kept of it, and who comes to the end of it is let in."""
    monkeypatch.setenv("PEEKLOCK_CACHE", str(tmp_path))
    trust = ssl.create_default_context(cafile=str(certificates.authority()))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        trust.wrap_bio(incoming, outgoing, server_hostname="localhost").do_handshake()
    hello = outgoing.read()
    with emulator(unauthenticated_tls=20) as bus:
        streams = [connect(bus) for _ in range(100)]
        for stream in streams:
            stream.sendall(hello[: int(len(hello) * part)])
        until(bus, lambda server: len(server.context.connections.other) <= 20)
        with trust.wrap_socket(connect(bus), server_hostname="localhost") as inside:
            inside.sendall(b"GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            assert read_all(inside).startswith(b"HTTP/1.1 200")
        for stream in streams:
            stream.close()
        until(bus, lambda server: not server.context.connections.other)
        assert bus.call(lambda _: sum(isinstance(thing, SSLProtocol) for thing in gc.get_objects())) <= 2
