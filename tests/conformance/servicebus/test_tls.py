"""TLS on the emulator's one port: AMQP, REST and garbage inside it, with a CA of the emulator's own (S-1, S-2, S-81)."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient as AsyncClient

from peeklock.servicebus import Client, Emulator, OutgoingMessage, Queue, Topology
from peeklock.servicebus.auth import make_token
from peeklock.servicebus.gateway import certificates


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache folder of this module's own."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PEEKLOCK_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="module")
def bus(cache: Path) -> Iterator[Emulator]:
    with Emulator(Topology(queues={"q": Queue(), "big": Queue()})) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def ca(bus: Emulator) -> str:
    return str(certificates.authority())


def over_tls(bus: Emulator, ca: str) -> dict[str, Any]:
    """What makes an SDK client speak TLS to the emulator: no emulator's flag in the connection string (S-3), and the
    port by a custom endpoint, as the SDK takes 5671 otherwise."""
    return {
        "conn_str": bus.connection_string().replace("UseDevelopmentEmulator=true;", ""),
        "custom_endpoint_address": f"sb://localhost:{bus.port}",
        "connection_verify": ca,
        "retry_total": 0,
    }


def trusting(ca: str) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca)


def leaves_nothing_behind(bus: Emulator) -> None:
    """Wait until no connection is left: the server learns of an end a little later than its client."""

    async def empty() -> None:
        while bus.server.context.connections.other or bus.server.context.connections.amqp:  # noqa: ASYNC110 -- nobody tells of it
            await asyncio.sleep(0.005)

    bus.run(asyncio.wait_for(empty(), 10))


def test_the_sdk_speaks_amqp_over_tls(bus: Emulator, ca: str) -> None:
    """S-1: a message of several frames goes out and back."""
    body = os.urandom(200_000)
    with ServiceBusClient.from_connection_string(**over_tls(bus, ca)) as client:
        with client.get_queue_sender("big") as sender:
            sender.send_messages(ServiceBusMessage(body))
        with client.get_queue_receiver("big", max_wait_time=5) as receiver:
            (message,) = receiver.receive_messages()
            receiver.complete_message(message)
    assert b"".join(message.body) == body


async def _send(options: dict[str, Any]) -> None:
    async with (
        AsyncClient.from_connection_string(**options) as client,
        client.get_queue_sender("q") as sender,
    ):
        await sender.send_messages(ServiceBusMessage("async"))


def test_the_async_sdk_speaks_amqp_over_tls(bus: Emulator, ca: str) -> None:
    """S-1."""
    asyncio.run(_send(over_tls(bus, ca)))
    with Client(bus.connection_string()) as client:
        (message,) = client.receive("q", 1, 5, mode="receive_and_delete")
        assert message.body == b"async"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_rest_is_served_inside_tls(bus: Emulator, ca: str, host: str) -> None:
    """S-81: after the handshake the first bytes decide once more; the certificate is for the names of this machine."""
    token = make_token("http://localhost/q", "RootManageSharedAccessKey", "SAS_KEY_VALUE", int(time.time()) + 600)
    with httpx.Client(base_url=f"https://{host}:{bus.port}", verify=trusting(ca), trust_env=False) as http:
        assert http.post("/q/messages", headers={"authorization": token}, content=b"x").status_code == 201
        found = http.post("/q/messages/head?timeout=5", headers={"authorization": token})
        assert found.headers["location"].startswith(f"https://{host}:{bus.port}/q/messages/")
        assert http.delete(found.headers["location"], headers={"authorization": token}).status_code == 200


def test_a_client_that_does_not_trust_the_ca_goes_away(bus: Emulator, ca: str) -> None:
    """S-81: and the emulator stays up."""
    with (
        socket.create_connection(("127.0.0.1", bus.port), timeout=5) as raw,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        ssl.create_default_context().wrap_socket(raw, server_hostname="localhost")
    with Client(bus.connection_string()) as client:
        client.send("q", [OutgoingMessage(body=b"x")])
        client.receive("q", 1, 5, mode="receive_and_delete")


@pytest.mark.parametrize(
    "hello",
    [
        b"\x16\x03\x01\x00",
        b"\x16\x03\x01\x02\x00" + b"\x00" * 512,
        b"\x16\x03\x01\xff\xff" + b"\xff" * 70_000,
        b"\x16\x03\x03\x00\x05\x01\x00\x00\x01\x03",
        b"\x16\x03GET / HTTP/1.1\r\n\r\n",
    ],
    ids=["cut short", "zeros", "too long", "a hello of one byte", "http"],
)
def test_garbage_after_the_first_byte_of_a_hello(bus: Emulator, hello: bytes) -> None:
    """The connection ends; nobody else notices."""
    with socket.create_connection(("127.0.0.1", bus.port), timeout=10) as sock:
        try:
            sock.sendall(hello)
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(4096):
                pass
        except OSError:
            pass  # reset: it was not listened to any longer
    assert bus.call(lambda server: server.namespace.queues["q"].log.active) == 0


def test_garbage_inside_tls(bus: Emulator, ca: str) -> None:
    """Neither AMQP nor HTTP, huge headers, and TLS once more: each ends its connection only."""
    for raw in (
        b"\x00" * 64,
        b"\x16\x03\x01\x02\x00" + b"\x00" * 600,
        b"GET / HTTP/1.1\r\n" + b"x: " + b"y" * 200_000 + b"\r\n\r\n",
        b"POST /q/messages HTTP/1.1\r\ncontent-length: 99999999999999\r\n\r\n" + b"x" * (2 << 20),
    ):
        with (
            socket.create_connection(("127.0.0.1", bus.port), timeout=10) as plain,
            trusting(ca).wrap_socket(plain, server_hostname="localhost") as secure,
        ):
            try:
                secure.sendall(raw)
                while secure.recv(4096):
                    pass
            except OSError:
                pass
    leaves_nothing_behind(bus)


def test_keys_are_for_their_owner_only_and_the_ca_stays(bus: Emulator, cache: Path, ca: str) -> None:
    """Made on first start, the same from then on."""
    folder = cache / "servicebus-tls"
    assert {path.name for path in folder.iterdir()} >= {"ca.pem", "ca.key"}
    assert {oct(path.stat().st_mode & 0o777) for path in folder.iterdir() if path.name != "ca.pem"} == {"0o600"}
    before = (folder / "ca.pem").read_bytes()
    assert certificates.authority() == folder / "ca.pem"
    assert (folder / "ca.pem").read_bytes() == before
    assert [path.name for path in cache.iterdir()] == ["servicebus-tls"]


def test_a_certificate_that_grows_old_is_renewed(
    bus: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the same CA, so that nothing has to be trusted anew."""
    monkeypatch.setenv("PEEKLOCK_CACHE", str(tmp_path))
    ca, chain = certificates.authority(), tmp_path / "servicebus-tls" / "localhost.pem"
    old, trusted = chain.read_bytes(), ca.read_bytes()
    os.utime(chain, (0, 0))
    certificates.server_context()
    assert chain.read_bytes() != old
    assert ca.read_bytes() == trusted
    with (
        socket.create_connection(("127.0.0.1", bus.port), timeout=10) as plain,
        trusting(str(ca)).wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        assert secure.version() in ("TLSv1.2", "TLSv1.3")


def test_the_command_tells_what_to_trust(tmp_path: Path) -> None:
    """`--ca` prints the path of the CA's certificate, and how to trust it."""
    command = [sys.executable, "-m", "peeklock.servicebus", "--ca"]
    told = subprocess.run(
        command, capture_output=True, text=True, check=True, env=os.environ | {"PEEKLOCK_CACHE": str(tmp_path)}
    )
    path = told.stdout.splitlines()[0]
    assert Path(path).read_text().startswith("-----BEGIN CERTIFICATE-----")
    assert f"SSL_CERT_FILE={path}" in told.stdout
    assert "connection_verify=" in told.stdout
