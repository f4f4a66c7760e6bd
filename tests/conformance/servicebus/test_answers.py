"""Every request has an answer: with the reason when it cannot be done, and without what belongs to another one."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from peeklock.servicebus import AccessRule, Client, Emulator, OutgoingMessage, Queue, ServiceBusError, Topology
from peeklock.servicebus.amqp import events as ev
from peeklock.servicebus.amqp.encode import encode
from peeklock.servicebus.auth import make_token
from tests.conformance.servicebus.control import TOKEN, call, process

ROOT = AccessRule()
BATCH = "application/vnd.microsoft.servicebus.json"


@pytest.fixture(scope="module")
def shared() -> Iterator[Emulator]:
    with Emulator(Topology(queues={"q": Queue()})) as emulator:
        yield emulator


@pytest.fixture
def bus(shared: Emulator) -> Emulator:
    shared.reset()
    return shared


@pytest.fixture
def http(bus: Emulator) -> Iterator[httpx.Client]:
    token = make_token("sb://localhost/", ROOT.name, ROOT.key, 1 << 33)
    with httpx.Client(base_url=f"http://127.0.0.1:{bus.port}", headers={"Authorization": token}, timeout=5) as client:
        yield client


@pytest.mark.parametrize("broker", ['{"TimeToLive": -1}', '{"TimeToLive": NaN}', '{"TimeToLive": 1e308}', '{"TimeToLive": []}',
                                    '{"TimeToLiveTimeSpan": "-1:0:0"}', '{"MessageId": "\\ud800"}', "[" * 20_000, '{"a": %s}' % ("9" * 5_000)])  # fmt: skip
def test_a_send_that_makes_no_sense_is_refused_with_the_reason(http: httpx.Client, bus: Emulator, broker: str) -> None:
    answer = http.post("/q/messages", content=b"x", headers={"BrokerProperties": broker})
    assert (answer.status_code, "<Detail>" in answer.text) == (400, True)
    assert bus.entities()[0]["active"] == 0


@pytest.mark.parametrize("item", [{"BrokerProperties": {"TimeToLive": -1}}, {"UserProperties": {"n": 1 << 70}},
                                  {"UserProperties": {"n": [1]}}, {"UserProperties": {"s": "\ud800"}}])  # fmt: skip
def test_so_is_one_in_a_batch(http: httpx.Client, item: dict[str, Any]) -> None:
    body = json.dumps([{"Body": "x", **item}])
    answer = http.post("/q/messages", content=body, headers={"Content-Type": BATCH})
    assert (answer.status_code, "<Detail>" in answer.text) == (400, True)


def test_a_property_too_long_for_an_integer_is_refused_and_nan_is_text(http: httpx.Client) -> None:
    assert http.post("/q/messages", content=b"x", headers={"n": "99999999999999999999"}).status_code == 400
    assert http.post("/q/messages", content=b"x", headers={"n": "NaN"}).status_code == 201
    assert http.delete("/q/messages/head?timeout=1").headers["n"] == '"NaN"'


@pytest.mark.parametrize("kind", ["text/plain; x=é", "text/plain; x=☃", "text/plain\r\nx-injected: 1"])
def test_a_message_with_any_content_type_is_received(http: httpx.Client, bus: Emulator, kind: str) -> None:
    with Client(bus.connection_string()) as client:
        client.send("q", [OutgoingMessage(b"body", content_type=kind)])
    answer = http.delete("/q/messages/head?timeout=1")
    assert (answer.status_code, answer.content, "x-injected" in answer.headers) == (200, b"body", False)


@pytest.mark.parametrize("path", ["/health", "/q", "/nothing/at/all"])
def test_head_is_get_without_a_body(http: httpx.Client, path: str) -> None:
    assert (http.head(path).status_code, http.head(path).content) == (http.get(path).status_code, b"")


def test_a_time_out_that_is_no_number_is_refused(http: httpx.Client) -> None:
    assert http.delete("/q/messages/head?timeout=nan").status_code == 400


@pytest.mark.parametrize(("method", "path", "resource"), [("POST", "/q/messages", "/q/messages"), ("POST", "/q/messages?timeout=9", "/q/messages?timeout=9"),
                                                          ("POST", "/q/messages/head?timeout=0", "/q/messages/head"), ("POST", "/q/messages", "/q")])  # fmt: skip
def test_a_token_may_be_signed_for_the_request_itself(
    http: httpx.Client, method: str, path: str, resource: str
) -> None:
    """As azure-sb and many recipes for curl do; for another request of the same entity it is not."""
    for host in ("http://127.0.0.1", "https://h.servicebus.windows.net"):
        token = make_token(host + resource, ROOT.name, ROOT.key, int(time.time()) + 60)
        assert http.request(method, path, headers={"Authorization": token}).status_code in (201, 204)
    narrow = make_token("http://h/q/messages/head", ROOT.name, ROOT.key, 1 << 33)
    assert http.post("/q/messages", content=b"x", headers={"Authorization": narrow}).status_code == 401


def test_a_scheduled_message_that_cannot_be_read_is_refused(bus: Emulator) -> None:
    with Client(bus.connection_string(), timeout=3) as client:
        for raw in (b"\x00\x53\x99", b"", b"\xff" * 9):
            fields = {"operation": "com.microsoft:schedule-message"}
            value = encode({"messages": [{"message-id": "x", "message": raw}]})
            if raw:
                with pytest.raises(ServiceBusError) as refusal:
                    client._ready("q").request(
                        "q/$management", fields, value, codes=("statusCode", "statusDescription")
                    )
                assert refusal.value.condition == "amqp:decode-error"


def test_a_client_takes_only_the_answer_to_its_own_request(bus: Emulator) -> None:
    """One that comes late, of a request that has timed out, is not taken for that of the next one."""
    with Client(bus.connection_string(), timeout=0.5) as client:
        client.peek("q")
        bus.faults.hold("q", operation="send")
        with pytest.raises(ServiceBusError, match="took longer"):
            client.schedule("q", OutgoingMessage(b"x"), datetime(2100, 1, 1, tzinfo=UTC))
        bus.faults.clear()
        with pytest.raises(ServiceBusError) as refusal:
            client.cancel("q", 4_711)
        assert refusal.value.condition == "com.microsoft:message-not-found"


def test_the_control_api_answers_whatever_is_asked(tmp_path: Path) -> None:
    with process("--port", "0", "--no-default-namespace", "--data-dir", str(tmp_path)) as (_, ready):
        url, headers = f"http://127.0.0.1:{ready['control_port']}", {"Authorization": f"Bearer {TOKEN}"}
        for body in (b"\xff", b"[" * 200_000, b'{"advance": NaN}', b'{"advance": 1e300}'):
            answer = httpx.post(f"{url}/clock", content=body, headers=headers)
            assert (answer.status_code, bool(answer.json()["error"])) == (400, True)
        for topology in (
            b'{"port": 70000}',
            b'{"queues": {"q": {"lock_duration": NaN}}}',
            b'{"queues": {"q": {"lock_duration": 1e300}}}',
        ):
            answer = httpx.put(f"{url}/namespaces/n", content=topology, headers=headers)
            assert (answer.status_code, bool(answer.json()["error"])) == (400, True)
        assert call(ready["control_port"], "PUT", f"/namespaces/{'n' * 300}", {})[0] == 400
        assert call(ready["control_port"], "POST", "/clock", {"advance": 1})[0] == 200


def test_a_failed_start_leaves_nothing_locked(bus: Emulator, tmp_path: Path) -> None:
    with process("--port", "0", "--no-default-namespace", "--data-dir", str(tmp_path / "process")) as (_, ready):
        assert call(ready["control_port"], "PUT", "/namespaces/a", {"port": bus.port})[0] == 409
        assert call(ready["control_port"], "PUT", "/namespaces/a", {"port": 0})[0] == 200
    with pytest.raises(OSError, match="in use"):
        Emulator(Topology(port=bus.port), data_folder=str(tmp_path / "here")).__enter__()
    with Emulator(data_folder=str(tmp_path / "here")) as other:
        assert other.entities() == []


def test_an_answer_never_comes_before_the_outcome_of_its_request(
    bus: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """rhea, and with it @azure/service-bus, takes an answer for that to another request otherwise."""
    order: list[type] = []
    with Client(bus.connection_string()) as client:
        client.peek("q")
        channel = client._ready("q")
        handle = channel._handle

        def watched(events: list[Any]) -> None:
            order.extend(type(event) for event in events if isinstance(event, ev.Delivery | ev.Outcome))
            handle(events)

        monkeypatch.setattr(channel, "_handle", watched)
        client.peek("q")
    assert order == [ev.Outcome, ev.Delivery]
