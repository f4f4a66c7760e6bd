"""The REST data plane over real HTTP, with the SDK and the blocking client on the other side (S-78 to S-80)."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from peeklock.servicebus import AccessRule, Client, Emulator, OutgoingMessage, Queue, Topology
from peeklock.servicebus.amqp.sections import build
from peeklock.servicebus.auth import make_token

ROOT = AccessRule("RootManageSharedAccessKey", "root-key", ("Manage", "Send", "Listen"))
LISTEN = AccessRule("listen-only", "listen-key", ("Listen",))


@pytest.fixture
def bus() -> Iterator[Emulator]:
    queues = {"jobs": Queue(lock_duration=5.0, max_delivery_count=3), "other": Queue()}
    with Emulator(Topology(queues=queues, access_rules=(ROOT, LISTEN))) as emulator:
        yield emulator


@pytest.fixture
def http(bus: Emulator) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://127.0.0.1:{bus.port}", trust_env=False, timeout=10) as client:
        yield client


def auth(rule: AccessRule = ROOT, entity: str = "jobs", lives: float = 3600, key: str = "") -> dict[str, str]:
    uri = f"http://127.0.0.1/{entity}"
    return {"authorization": make_token(uri, rule.name, key or rule.key, int(time.time() + lives))}


def test_a_message_arrives_with_everything_that_came_with_it(bus: Emulator, http: httpx.Client) -> None:
    """S-78: BrokerProperties, custom properties with their types, the content type, the body."""
    broker = {
        "MessageId": "m1",
        "Label": "hello",
        "CorrelationId": "c1",
        "SessionId": "s",
        "To": "t",
        "ReplyTo": "r",
        "TimeToLive": 60,
    }
    headers = auth() | {
        "BrokerProperties": json.dumps(broker),
        "content-type": "application/json",
        "Priority": "3",
        "City": '"Prague"',
    }
    assert http.post("/jobs/messages", headers=headers, content=b'{"id": 1}').status_code == 201
    with Client(bus.connection_string()) as client:
        (message,) = client.receive("jobs", 1, 5)
        assert (message.message_id, message.subject, message.correlation_id) == ("m1", "hello", "c1")
        assert (message.to, message.reply_to, message.time_to_live) == ("t", "r", 60)
        assert message.content_type == "application/json"
        assert message.body == b'{"id": 1}'
        own = {name.lower(): value for name, value in message.application_properties.items()}
        assert own == {"priority": 3, "city": "Prague"}
    assert bus.ledger.entries()[0].message.content.sender == ROOT.name


def test_a_batch_is_all_or_nothing(bus: Emulator, http: httpx.Client) -> None:
    """S-78: a JSON array of Body, BrokerProperties, UserProperties."""
    headers = auth() | {"content-type": "application/vnd.microsoft.servicebus.json"}
    items: list[dict[str, Any]] = [
        {"Body": "a", "BrokerProperties": {"MessageId": "1"}},
        {"Body": "b", "UserProperties": {"n": 2}},
    ]
    assert http.post("/jobs/messages", headers=headers, json=items).status_code == 201
    assert [entry.event for entry in bus.ledger.entries()] == ["enqueued", "enqueued"]
    assert http.post("/jobs/messages", headers=headers, json={"Body": "a"}).status_code == 400


def test_peek_lock_complete(bus: Emulator, http: httpx.Client) -> None:
    """S-79: 201 with Location and LockToken; DELETE of it completes; once more is 410."""
    with Client(bus.connection_string()) as client:
        client.send("jobs", [OutgoingMessage(body=b"x", message_id="m", application_properties={"n": 1})])
    found = http.post("/jobs/messages/head?timeout=5", headers=auth())
    assert (found.status_code, found.content) == (201, b"x")
    facts = json.loads(found.headers["BrokerProperties"])
    assert (facts["MessageId"], facts["DeliveryCount"]) == ("m", 1)
    assert found.headers["n"] == "1"
    assert found.headers["location"].endswith(f"/jobs/messages/{facts['SequenceNumber']}/{facts['LockToken']}")
    path = found.headers["location"].partition("127.0.0.1")[2].partition("/")[2]
    assert http.post(f"/{path}", headers=auth()).status_code == 200
    assert http.delete(f"/{path}", headers=auth()).status_code == 200
    assert http.delete(f"/{path}", headers=auth()).status_code == 410
    assert [entry.event for entry in bus.ledger.entries()] == ["enqueued", "delivered", "renewed", "completed"]


def test_unlock_gives_it_back(http: httpx.Client) -> None:
    """S-79: PUT unlocks; the next delivery is the second."""
    http.post("/jobs/messages", headers=auth(), content=b"x")
    facts = json.loads(http.post("/jobs/messages/head", headers=auth()).headers["BrokerProperties"])
    assert http.put(f"/jobs/messages/{facts['SequenceNumber']}/{facts['LockToken']}", headers=auth()).status_code == 200
    again = json.loads(http.post("/jobs/messages/head", headers=auth()).headers["BrokerProperties"])
    assert again["DeliveryCount"] == 2


def test_receive_and_delete(bus: Emulator, http: httpx.Client) -> None:
    """S-79: DELETE of the head takes the message; an empty queue is 204."""
    http.post("/jobs/messages", headers=auth(), content=b"x")
    assert http.delete("/jobs/messages/head?timeout=5", headers=auth()).status_code == 200
    assert http.delete("/jobs/messages/head?timeout=0", headers=auth()).status_code == 204
    assert bus.ledger.entries()[-1].event == "received_and_deleted"


@pytest.mark.parametrize(
    ("headers", "status", "detail"),
    [
        ({}, 401, "MissingToken"),
        (auth(key="wrong"), 401, "Invalid authorization token signature"),
        (auth(lives=-60), 401, "ExpiredToken"),
        (auth(entity="other"), 401, "InvalidAudience"),
        (auth(rule=LISTEN), 401, "'Send' claim(s) are required"),
        ({"authorization": "SharedAccessSignature sr=x"}, 401, "Invalid authorization token signature"),
    ],
    ids=["none", "forged", "expired", "of another queue", "without Send", "malformed"],
)
def test_who_may_not_send(bus: Emulator, http: httpx.Client, headers: dict[str, str], status: int, detail: str) -> None:
    """S-80: refused in Service Bus's form, and nothing arrives."""
    found = http.post("/jobs/messages", headers=headers, content=b"x")
    assert found.status_code == status
    assert found.text.startswith(f"<Error><Code>{status}</Code><Detail>")
    assert detail in found.text
    assert [entry for entry in bus.ledger.entries() if entry.message] == []


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/jobs/messages", {}, 400),
        ("POST", "/nothing", {}, 404),
        ("POST", "/jobs/messages", {"BrokerProperties": "{"}, 400),
        ("POST", "/jobs/messages", {"BrokerProperties": '{"TimeToLiveTimeSpan": "soon"}'}, 400),
        ("DELETE", "/jobs/messages/1/not-a-lock", {}, 400),
        ("POST", "/jobs/messages/head?timeout=x", {}, 400),
    ],
)
def test_requests_that_make_no_sense(
    http: httpx.Client, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    assert http.request(method, path, headers=auth() | headers).status_code == status


def test_a_queue_that_is_not_there(http: httpx.Client) -> None:
    """S-22: told only to those who may know."""
    assert http.post("/nobody/messages", headers=auth(entity=""), content=b"x").status_code == 404
    assert http.post("/nobody/messages", headers=auth(), content=b"x").status_code == 401


def test_time_spans_and_schedules(bus: Emulator, http: httpx.Client) -> None:
    """S-78: TimeToLiveTimeSpan and ScheduledEnqueueTimeUtc."""
    broker = {"TimeToLiveTimeSpan": "1.00:00:30", "ScheduledEnqueueTimeUtc": "Thu, 01 Jan 2099 00:00:00 GMT"}
    assert (
        http.post("/jobs/messages", headers=auth() | {"BrokerProperties": json.dumps(broker)}, content=b"x").status_code
        == 201
    )
    (entry,) = bus.ledger.entries()
    assert entry.event == "scheduled"
    assert entry.message.content.facts()["time_to_live"] == 86430


def test_a_waiting_receiver_ends_with_its_client(bus: Emulator, http: httpx.Client) -> None:
    """A client that hangs up takes no message with it."""
    with pytest.raises(httpx.ReadTimeout):
        http.post("/jobs/messages/head?timeout=30", headers=auth(), timeout=0.2)
    http.post("/jobs/messages", headers=auth(), content=b"x")
    found = http.post("/jobs/messages/head?timeout=5", headers=auth())
    assert json.loads(found.headers["BrokerProperties"])["DeliveryCount"] == 1


def test_garbage_is_neither_amqp_nor_http(bus: Emulator) -> None:
    """Whatever comes, the emulator stays up."""
    import socket

    for raw in (b"\x16\x03\x01\x00", b"POST / HTTP/9.9\r\n\r\n", b"GET " + b"x" * 100_000, b"\x00" * 64):
        with socket.create_connection(("127.0.0.1", bus.port), timeout=5) as sock:
            sock.sendall(raw)
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(4096):
                pass
    with Client(bus.connection_string()) as client:
        client.send("jobs", [OutgoingMessage(body=b"x")])


class Spoilt(OutgoingMessage):
    """A message with a correlation id of a type that AMQP does not have."""

    def encode(self) -> bytes:
        return super().encode().replace(b"\xa1\x05wrong", b"\xff\x05wrong")


@pytest.mark.parametrize("peek_lock", [True, False])
def test_a_message_with_a_spoilt_section_is_delivered(bus: Emulator, http: httpx.Client, peek_lock: bool) -> None:
    """Over AMQP it goes through as it came; here its properties are left out, and nothing is lost."""
    with Client(bus.connection_string()) as client:
        client.send("jobs", [Spoilt(b"body", message_id="m1", correlation_id="wrong")])
    answer = http.request("POST" if peek_lock else "DELETE", "/jobs/messages/head", headers=auth())
    assert (answer.status_code, answer.content) == (201 if peek_lock else 200, b"body")
    assert "CorrelationId" not in json.loads(answer.headers["BrokerProperties"])


class SpoiltBody(OutgoingMessage):
    """A message whose body is a list of a type that AMQP does not have."""

    def encode(self) -> bytes:
        return build(value=b"\xc0\x03\x01\xff\x00")


def test_a_spoilt_body_is_delivered_as_it_came(bus: Emulator, http: httpx.Client) -> None:
    with Client(bus.connection_string()) as client:
        client.send("jobs", [SpoiltBody()])
    answer = http.delete("/jobs/messages/head", headers=auth())
    assert (answer.status_code, answer.content[-5:]) == (200, b"\xc0\x03\x01\xff\x00")
