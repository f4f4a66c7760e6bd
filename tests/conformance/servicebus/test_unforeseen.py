"""An exception that nobody foresaw: whoever asked is answered, the log has the traceback, and everything goes on."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from peeklock.servicebus import AccessRule, Client, Emulator, Issuer, OutgoingMessage, Queue, ServiceBusError, Topology
from peeklock.servicebus.auth import TokenVerifier, make_token
from peeklock.servicebus.broker.dispatch import Dispatch
from peeklock.servicebus.broker.intake import Intake
from peeklock.servicebus.broker.settlement import Settlement
from peeklock.servicebus.gateway.administration import Administration
from peeklock.servicebus.gateway.control import ControlApi
from peeklock.servicebus.host import Host

ROOT = AccessRule()
INTERNAL = "amqp:internal-error"


def burst(*_: object, **__: object) -> Any:
    raise RuntimeError("nobody foresaw this")


@pytest.fixture(scope="module")
def shared() -> Iterator[Emulator]:
    with Emulator(Topology(queues={"q": Queue()})) as emulator:
        yield emulator


@pytest.fixture
def client(shared: Emulator) -> Iterator[Client]:
    shared.reset()
    with Client(shared.connection_string(), timeout=5) as client:
        client.send("q", [OutgoingMessage(b"x")])
        yield client


@pytest.fixture(autouse=True)
def told(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """The log has the traceback, where the test has passed."""
    yield
    assert "RuntimeError: nobody foresaw this" in capfd.readouterr().err


def refused(act: Callable[[], object]) -> ServiceBusError:
    with pytest.raises(ServiceBusError) as refusal:
        act()
    return refusal.value


def test_a_send_is_rejected(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(Intake, "send", burst)
        assert refused(lambda: client.send("q", [OutgoingMessage(b"y")])).condition == INTERNAL
    client.send("q", [OutgoingMessage(b"z")])


def test_a_settlement_is_rejected(client: Client, shared: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    (message,) = client.receive("q")
    with monkeypatch.context() as broken:
        broken.setattr(Settlement, "complete", burst)
        assert refused(lambda: client.complete(message)).condition == INTERNAL
    assert shared.entities()[0]["locked"] == 1


def test_a_management_request_is_answered(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(Intake, "schedule", burst)
        when = datetime(2100, 1, 1, tzinfo=UTC)
        assert refused(lambda: client.schedule("q", OutgoingMessage(b"y"), when)).condition == INTERNAL
    assert len(client.peek("q")) == 1


def test_a_token_is_answered(shared: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TokenVerifier, "verify", burst)
    with Client(shared.connection_string(), timeout=5) as other:
        assert refused(lambda: other.peek("q")).condition == "status:500"


def test_an_attach_is_refused_with_the_reason(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(Dispatch, "add", burst)
        assert refused(lambda: client.receive("q")).condition == INTERNAL
        client.send("q", [OutgoingMessage(b"y")])
    assert len(client.receive("q")) == 1


@pytest.mark.parametrize(("method", "path"), [("POST", "/q/messages"), ("GET", "/q")])
def test_rest_and_administration_answer_500(
    shared: Emulator, method: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TokenVerifier, "verify", burst)
    token = make_token("http://h/", ROOT.name, ROOT.key, 1 << 33)
    answer = httpx.request(method, f"http://127.0.0.1:{shared.port}{path}", headers={"Authorization": token})
    assert (answer.status_code, "<Code>500</Code>" in answer.text) == (500, True)


def test_what_the_clock_brings_does_not_stop_it(
    client: Client, shared: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.receive("q")
    with monkeypatch.context() as broken:
        broken.setattr(type(shared.server.namespace), "run_due", burst)
        shared.advance(61)
    shared.advance(61)
    assert len(client.receive("q")) == 1


def log(event: str, **fields: object) -> None:
    print(event, fields.get("traceback"), file=sys.stderr)


def test_the_control_api_answers_500(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Administration, "reset", burst)

    async def main() -> httpx.Response:
        host = Host(log=log)
        await host.add("n", Topology())
        control = ControlApi(host, "token", log)
        port = await control.start("127.0.0.1", 0)
        async with httpx.AsyncClient(headers={"Authorization": "Bearer token"}) as http:
            answer = await http.post(f"http://127.0.0.1:{port}/namespaces/n/reset")
        await control.stop()
        await host.close()
        return answer

    answer = asyncio.run(main())
    assert (answer.status_code, "error" in answer.json()) == (500, True)


def test_the_issuer_answers_500(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> httpx.Response:
        issuer = Issuer(algorithm="ES256", log=log)
        monkeypatch.setattr(issuer, "jwks", burst)
        await issuer.start()
        async with httpx.AsyncClient() as http:
            answer = await http.get(f"{issuer.address}/keys")
        await issuer.stop()
        return answer

    answer = asyncio.run(main())
    assert (answer.status_code, answer.json()["error"]) == (500, "server_error")
