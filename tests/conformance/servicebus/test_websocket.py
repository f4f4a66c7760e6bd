"""AMQP inside WebSocket, plain and in TLS, with the real SDK and with raw frames (S-1)."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Iterator
from typing import Any, Self

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage, TransportType
from azure.servicebus.aio import ServiceBusClient as AsyncClient
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Ping,
    Pong,
    RejectConnection,
    Request,
    TextMessage,
)

from peeklock.servicebus import Client, Emulator, OutgoingMessage, Queue, Topology
from peeklock.servicebus.gateway import certificates

SASL_HEADER = b"AMQP\x03\x01\x00\x00"


@pytest.fixture(scope="module")
def bus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PEEKLOCK_CACHE", str(tmp_path_factory.mktemp("cache")))
        with Emulator(Topology(queues={"q": Queue(), "aio": Queue()})) as emulator:
            yield emulator


def over_websocket(bus: Emulator) -> dict[str, Any]:
    """The SDK takes the port from a custom endpoint only."""
    return {
        "conn_str": bus.connection_string(),
        "custom_endpoint_address": f"sb://localhost:{bus.port}",
        "transport_type": TransportType.AmqpOverWebsocket,
        "retry_total": 0,
    }


def leaves_nothing_behind(bus: Emulator) -> None:
    """Wait until no connection is left: the server learns of an end a little later than its client."""

    async def empty() -> None:
        while bus.server.context.connections.other or bus.server.context.connections.amqp:  # noqa: ASYNC110 -- nobody tells of it
            await asyncio.sleep(0.005)

    bus.run(asyncio.wait_for(empty(), 10))


def exchange(options: dict[str, Any], body: bytes) -> bytes:
    with ServiceBusClient.from_connection_string(**options) as client:
        with client.get_queue_sender("q") as sender:
            sender.send_messages(ServiceBusMessage(body))
        with client.get_queue_receiver("q", max_wait_time=5) as receiver:
            (message,) = receiver.receive_messages()
            receiver.complete_message(message)
    return b"".join(message.body)


def test_the_sdk_sends_and_receives(bus: Emulator) -> None:
    """S-1: in both directions more than one WebSocket frame takes."""
    body = os.urandom(200_000)
    assert exchange(over_websocket(bus), body) == body
    assert bus.ledger.entries()[-1].event == "completed"


def test_the_sdk_sends_and_receives_inside_tls(bus: Emulator) -> None:
    """S-1: wss, as on port 443 of the service."""
    options = over_websocket(bus) | {"connection_verify": str(certificates.authority())}
    options["conn_str"] = options["conn_str"].replace("UseDevelopmentEmulator=true;", "")
    assert exchange(options, b"in two wrappings") == b"in two wrappings"


async def _exchange(options: dict[str, Any]) -> bytes:
    async with AsyncClient.from_connection_string(**options) as client:
        async with client.get_queue_sender("aio") as sender:
            await sender.send_messages(ServiceBusMessage("async"))
        async with client.get_queue_receiver("aio", max_wait_time=5) as receiver:
            (message,) = await receiver.receive_messages()
            await receiver.complete_message(message)
    return b"".join(message.body)


@pytest.mark.filterwarnings("ignore:ssl=None is deprecated:DeprecationWarning")  # how the SDK calls aiohttp
def test_the_async_sdk_sends_and_receives(bus: Emulator) -> None:
    """S-1."""
    assert asyncio.run(_exchange(over_websocket(bus))) == b"async"


class Raw:
    """A WebSocket client that says what it is told to."""

    def __init__(self, port: int, subprotocols: list[str], target: str = "/$servicebus/websocket") -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=5)
        self.ws = WSConnection(ConnectionType.CLIENT)
        self.send(Request(host="localhost", target=target, subprotocols=subprotocols))

    def send(self, event: Any) -> None:
        self.sock.sendall(self.ws.send(event))

    def events(self) -> Iterator[Any]:
        while data := self.sock.recv(65_536):
            self.ws.receive_data(data)
            yield from self.ws.events()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()


@pytest.mark.parametrize("name", ["AMQPWSB10", "amqp"])
def test_both_subprotocols_are_known(bus: Emulator, name: str) -> None:
    """S-1: the one that the client asked for is confirmed, and AMQP answers."""
    with Raw(bus.port, ["something", name]) as raw:
        events = raw.events()
        accepted = next(events)
        assert isinstance(accepted, AcceptConnection)
        assert accepted.subprotocol == name
        for byte in SASL_HEADER:  # AMQP does not care where frames are cut
            raw.send(BytesMessage(data=bytes([byte])))
        answer = next(event for event in events if isinstance(event, BytesMessage))
        assert bytes(answer.data).startswith(SASL_HEADER)


def test_pings_are_answered_and_a_good_bye_too(bus: Emulator) -> None:
    with Raw(bus.port, ["amqp"]) as raw:
        events = raw.events()
        next(events)
        raw.send(Ping(payload=b"are you there"))
        pong = next(event for event in events if isinstance(event, Pong))
        assert bytes(pong.payload) == b"are you there"
        raw.send(CloseConnection(code=1000))
        assert any(isinstance(event, CloseConnection) for event in events)


@pytest.mark.parametrize("subprotocols", [[], ["mqtt"]])
def test_another_subprotocol_is_refused(bus: Emulator, subprotocols: list[str]) -> None:
    with Raw(bus.port, subprotocols) as raw:
        rejected = next(raw.events())
        assert isinstance(rejected, RejectConnection)
        assert rejected.status_code == 400


def test_there_is_no_websocket_elsewhere(bus: Emulator) -> None:
    with Raw(bus.port, ["amqp"], target="/elsewhere") as raw:
        assert isinstance(next(raw.events()), RejectConnection)


def test_text_is_no_amqp(bus: Emulator) -> None:
    with Raw(bus.port, ["amqp"]) as raw:
        events = raw.events()
        next(events)
        raw.send(TextMessage(data="AMQP?"))
        closed = next(event for event in events if isinstance(event, CloseConnection))
        assert closed.code == 1003


HANDSHAKE = (
    b"GET /$servicebus/websocket HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-protocol: amqp\r\n"
)
KEY = b"sec-websocket-key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"


@pytest.mark.parametrize(
    "said",
    [
        HANDSHAKE + b"\r\n",
        HANDSHAKE.replace(b"13", b"12") + KEY,
        HANDSHAKE.replace(b"upgrade: websocket", b"upgrade: h2c") + KEY,
        HANDSHAKE + KEY + b"\x82\x05not masked",
        HANDSHAKE + KEY + b"\xff" * 200,
        HANDSHAKE + KEY + b"\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00" + b"z" * 100,
        HANDSHAKE + b"x: " + b"y" * 200_000 + b"\r\n" + KEY,
        HANDSHAKE + KEY + b"\x82\x88\x00\x00\x00\x00nonsense",
        HANDSHAKE + b"host: \xff\xfe\r\n" + KEY,
    ],
    ids=[
        "no key",
        "version 12",
        "another upgrade",
        "not masked",
        "no frame",
        "2^64 bytes announced",
        "huge headers",
        "no AMQP inside",
        "two hosts, one no text",
    ],
)
def test_garbage_ends_its_own_connection_only(bus: Emulator, said: bytes) -> None:
    with socket.create_connection(("127.0.0.1", bus.port), timeout=10) as sock:
        try:
            sock.sendall(said)
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(4096):
                pass
        except OSError:
            pass  # reset: it was not listened to any longer
    with Client(bus.connection_string()) as client:
        client.send("q", [OutgoingMessage(body=b"x")])
        client.receive("q", 1, 5, mode="receive_and_delete")
    leaves_nothing_behind(bus)


def test_wss_garbage(bus: Emulator) -> None:
    """A client that hangs up in the middle of everything leaves nothing behind."""
    context = ssl.create_default_context(cafile=str(certificates.authority()))
    with (
        socket.create_connection(("127.0.0.1", bus.port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        secure.sendall(HANDSHAKE + KEY + b"\x82\xfe\x10")
        assert secure.recv(4096).startswith(b"HTTP/1.1 101")
    with Client(bus.connection_string()) as client:
        client.send("q", [OutgoingMessage(body=b"x")])
        client.receive("q", 1, 5, mode="receive_and_delete")
    leaves_nothing_behind(bus)
