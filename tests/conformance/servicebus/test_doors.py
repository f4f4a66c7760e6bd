"""Who is let in at which door, and what whoever is refused can read in the log."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from peeklock.servicebus import (
    AccessRule,
    Client,
    Emulator,
    Issuer,
    OutgoingMessage,
    Queue,
    ServiceBusError,
    SystemClock,
    Topology,
)
from peeklock.servicebus.auth import make_token
from peeklock.servicebus.emulator import connection_string
from peeklock.servicebus.gateway import certificates
from peeklock.servicebus.gateway.limited_log import MOST, LimitedLog
from peeklock.servicebus.gateway.server import Server
from peeklock.servicebus.process import namespaces_of, parser
from tests.conformance.servicebus.control import TOKEN, process

ROOT = AccessRule()
TOPOLOGY = Topology(queues={"q": Queue()})
UPGRADE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Protocol": "AMQPWSB10",
}


@pytest.fixture(scope="module")
def bus() -> Iterator[Emulator]:
    with Emulator(TOPOLOGY) as emulator:
        yield emulator


def post(port: int, host: str = "127.0.0.1", **headers: str) -> int:
    token = make_token("sb://h/", ROOT.name, ROOT.key, 1 << 33)
    url = f"http://{host}:{port}/q/messages"
    return httpx.post(url, content=b"x", headers={"Authorization": token, **headers}, timeout=5).status_code


# -- localhost


@pytest.mark.skipif(not socket.has_ipv6, reason="the machine has no IPv6")
def test_localhost_is_reached_whichever_address_it_is(bus: Emulator) -> None:
    assert post(bus.port, "127.0.0.1") == post(bus.port, "[::1]") == 201
    with socket.create_connection(("::1", bus.port), 5) as stream:
        stream.sendall(b"AMQP\x03\x01\x00\x00")
        assert stream.recv(8) == b"AMQP\x03\x01\x00\x00"


def test_the_control_port_and_the_issuer_are_reached_under_both_too() -> None:
    with process("--port", "0", "--issuer-port", "0") as (_, ready):
        for port, path in ((ready["control_port"], "/health"), (ready["issuer_port"], "/keys")):
            for host in ("127.0.0.1", "[::1]"):
                assert httpx.get(f"http://{host}:{port}{path}").status_code == 200


# -- web pages


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:5672", "127.0.0.1.evil.example", "localhost.evil.example:1"]
)
def test_a_name_that_was_pointed_at_this_machine_is_refused(bus: Emulator, host: str) -> None:
    assert post(bus.port, Host=host) == 403


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.2", "[::1]:9", "[::1]", "bus", "host.docker.internal:5672", "ns.servicebus.windows.net", "api.localhost"])  # fmt: skip
def test_names_of_this_machine_are_taken(bus: Emulator, host: str) -> None:
    assert post(bus.port, Host=host) == 201


@pytest.mark.parametrize(("origin", "status"), [("https://evil.example", 403), ("null", 403), ("http://localhost.evil.example", 403), ("http://localhost:3000", 201)])  # fmt: skip
def test_only_pages_of_this_machine_are_served(bus: Emulator, origin: str, status: int) -> None:
    assert post(bus.port, Origin=origin) == status


def test_a_websocket_is_no_way_round(bus: Emulator) -> None:
    url = f"http://127.0.0.1:{bus.port}/$servicebus/websocket"
    for headers in ({"Origin": "https://evil.example"}, {"Host": "evil.example"}):
        assert httpx.get(url, headers={**UPGRADE, **headers}).status_code == 403
    with httpx.stream("GET", url, headers={**UPGRADE, "Origin": f"http://127.0.0.1:{bus.port}"}) as accepted:
        assert accepted.status_code == 101


def test_nor_are_the_control_port_and_the_issuer() -> None:
    with process("--port", "0", "--issuer-port", "0") as (_, ready):
        form = {"grant_type": "client_credentials", "client_id": "app"}
        url = f"http://127.0.0.1:{ready['issuer_port']}/token"
        assert httpx.post(url, data=form).status_code == 200
        assert httpx.post(url, data=form, headers={"Origin": "https://evil.example"}).status_code == 403
        health = f"http://127.0.0.1:{ready['control_port']}/health"
        assert httpx.get(health, headers={"Host": "evil.example"}).status_code == 403


def test_beyond_loopback_names_are_whatever_others_call_it_and_the_control_port_stays_here() -> None:
    with process("--host", "0.0.0.0", "--port", "0") as (_, ready):
        assert (
            httpx.get(f"http://127.0.0.1:{ready['amqp_port']}/health", headers={"Host": "bus.example"}).status_code
            == 200
        )
        own = socket.gethostbyname(socket.gethostname())
        if not own.startswith("127."):
            assert httpx.get(f"http://{own}:{ready['amqp_port']}/health").status_code == 200
            with pytest.raises(httpx.ConnectError):
                httpx.get(f"http://{own}:{ready['control_port']}/health")
        headers = {"Authorization": f"Bearer {TOKEN}"}
        assert httpx.get(f"http://127.0.0.1:{ready['control_port']}/metrics", headers=headers).status_code == 200


# -- what is told


class Log(list[dict[str, Any]]):
    def __call__(self, event: str, **fields: Any) -> None:
        self.append({"event": event, **fields})

    def reasons(self, event: str) -> list[str]:
        return [line["reason"] for line in self if line["event"] == event]


def serving(log: Log, act: Any, **options: Any) -> None:
    """Run `act(port)` in a thread, beside a server that logs there."""

    async def main() -> None:
        server = Server("ns", TOPOLOGY, SystemClock(), log=log, **options)
        await server.start()
        try:
            await asyncio.to_thread(act, server.port)
        finally:
            await server.stop()

    asyncio.run(main())


def test_whoever_is_refused_finds_the_reason_in_the_log() -> None:
    log = Log()

    def act(port: int) -> None:
        for rule in (AccessRule(key="wrong"), AccessRule("nobody"), AccessRule(key="wrong")):
            with Client(connection_string("localhost", port, rule)) as client, pytest.raises(ServiceBusError):
                client.peek("q")

    serving(log, act)
    assert log.reasons("token.refused") == [
        "the key is not that of the access rule 'RootManageSharedAccessKey'",
        "there is no access rule 'nobody'; there are: RootManageSharedAccessKey",
    ]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_that_distrusts_the_certificate_leaves_a_line(
    version: ssl.TLSVersion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PEEKLOCK_CACHE", str(tmp_path))
    certificates.authority()
    log = Log()

    def act(port: int) -> None:
        context = ssl.create_default_context()
        context.minimum_version = context.maximum_version = version
        with socket.create_connection(("127.0.0.1", port), 5) as stream, pytest.raises(ssl.SSLError):
            context.wrap_socket(stream, server_hostname="localhost").close()
        deadline = time.monotonic() + 5
        while not log.reasons("tls.failed") and time.monotonic() < deadline:
            time.sleep(0.01)

    serving(log, act)
    (reason,) = log.reasons("tls.failed")
    assert "does not trust the emulator's certificate" in reason


def test_refusals_do_not_fill_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal ones are told once in ten seconds with their number, different ones fifty times at most; errors always."""
    now = [0.0]
    monkeypatch.setattr("peeklock.servicebus.gateway.limited_log.time.monotonic", lambda: now[0])
    lines = Log()
    log = LimitedLog(lines)
    for _ in range(1_000):
        log("token.refused", reason="same")
    for number in range(100):
        log("token.refused", reason=f"other {number}")
    assert len(lines) == MOST
    now[0] = 11.0
    log("token.refused", reason="same")
    assert lines[-2:] == [
        {"event": "log.suppressed", "lines": 51},
        {"event": "token.refused", "reason": "same", "suppressed": 999},
    ]
    log("unforeseen.error", level="error")
    assert lines[-1]["event"] == "unforeseen.error"


# -- those who come from Microsoft's emulator


def test_any_key_is_let_in_when_that_is_wanted() -> None:
    rules = (AccessRule(), AccessRule("listen", "k", ("Listen",)))
    with Emulator(Topology(queues={"q": Queue()}, access_rules=rules), any_key=True) as bus:
        for rule in (AccessRule(key="whatever"), AccessRule("SomeRule", "whatever")):
            with Client(connection_string("localhost", bus.port, rule)) as client:
                client.send("q", [OutgoingMessage(b"x")])
        with Client(connection_string("localhost", bus.port, AccessRule("listen", "whatever"))) as client:
            assert len(client.receive("q", 2)) == 2
            with pytest.raises(ServiceBusError, match="'Send' claim"):
                client.send("q", [OutgoingMessage(b"x")])


def test_its_http_port_is_there() -> None:
    with process("--port", "0", "--http-port", "0") as (_, ready):
        assert ready["http_port"] not in (ready["amqp_port"], ready["control_port"])
        answer = httpx.get(f"http://localhost:{ready['http_port']}/health").json()
        assert answer["namespaces"] == {"sbemulatorns": ready["amqp_port"]}
        assert post(ready["http_port"]) == 404  # authorized, and there is no such queue


def test_its_configuration_is_read_from_where_its_image_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "Config.json"
    monkeypatch.setattr("peeklock.servicebus.process.OFFICIAL_CONFIG", str(path))
    assert not namespaces_of(parser().parse_args([]))["sbemulatorns"].queues
    queues = [{"Name": "mine"}]
    path.write_text(
        json.dumps({"UserConfig": {"Namespaces": [{"Name": "sbemulatorns", "Queues": queues, "Topics": []}]}})
    )
    assert list(namespaces_of(parser().parse_args([]))["sbemulatorns"].queues) == ["mine"]
    assert namespaces_of(parser().parse_args(["--no-default-namespace"])) == {}


def test_the_issuer_of_an_emulator_refuses_pages_as_well() -> None:
    async def main() -> list[int]:
        issuer = Issuer(algorithm="ES256")
        await issuer.start()
        async with httpx.AsyncClient() as http:
            answers = [await http.get(f"{issuer.address}/keys", headers=h) for h in ({}, {"Origin": "null"})]
        await issuer.stop()
        return [answer.status_code for answer in answers]

    assert asyncio.run(main()) == [200, 403]


def test_it_stops_while_a_refused_client_still_reads() -> None:
    """A client that was refused and has not hung up yet does not break the server's end."""
    log = Log()
    clients: list[socket.socket] = []

    def refused(port: int) -> None:
        client = socket.create_connection(("127.0.0.1", port), 5)
        clients.append(client)
        client.sendall(b"AMQP\x00\x00\x09\x01")
        while client.recv(4096):
            pass

    serving(log, refused)
    clients[0].close()
