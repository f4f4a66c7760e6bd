"""/health, which is open and tells the truth, and /metrics, for who may manage."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from peeklock.servicebus import (
    AccessRule,
    Client,
    Emulator,
    OutgoingMessage,
    Queue,
    ServiceBusError,
    Subscription,
    Topic,
    Topology,
)
from peeklock.servicebus.auth import make_token

RULES = (AccessRule(), AccessRule("sender", "send-key", ("Send",)), AccessRule("one", "one-key", entity="q"))
TOPOLOGY = Topology(
    queues={"q": Queue(max_delivery_count=1), "twin": Queue(duplicate_detection_window=60)},
    topics={"t": Topic(subscriptions={"sub": Subscription()})},
    access_rules=RULES,
)


@pytest.fixture
def bus() -> Iterator[Emulator]:
    with Emulator(TOPOLOGY) as emulator:
        yield emulator


def get(bus: Emulator, path: str, rule: AccessRule | None = None) -> httpx.Response:
    url = f"http://127.0.0.1:{bus.port}"
    headers = {}
    if rule is not None:
        headers["Authorization"] = make_token(f"{url}/{rule.entity or ''}", rule.name, rule.key, 1 << 33)
    return httpx.get(url + path, headers=headers, timeout=10)


def metrics(bus: Emulator) -> dict[tuple[str, ...], float]:
    """Samples by name and label values, namespace left out, as prometheus_client reads them."""
    answer = get(bus, "/metrics", RULES[0])
    assert answer.status_code == 200
    return {
        (sample.name.removeprefix("peeklock_servicebus_"), *(v for k, v in sample.labels.items() if k != "namespace")):
        sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }  # fmt: skip


def test_health_is_open_and_has_no_secrets(bus: Emulator) -> None:
    """No token; namespaces and versions, nothing of rules or keys."""
    answer = get(bus, "/health")
    assert answer.status_code == 200
    report = answer.json()
    assert (report["status"], report["reasons"], report["namespaces"]) == ("ok", [], {"sbemulatorns": bus.port})
    assert report["version"]
    assert not any(rule.name in answer.text or rule.key in answer.text for rule in RULES)


def test_health_tells_of_a_listener_that_is_gone(bus: Emulator) -> None:
    """503 with the reason: whoever is connected still gets the truth."""
    with httpx.Client(base_url=f"http://127.0.0.1:{bus.port}") as http:
        assert http.get("/health").status_code == 200
        bus.call(lambda server: server._listener.stop())
        answer = http.get("/health")
    assert (answer.status_code, answer.json()["status"]) == (503, "failing")
    assert answer.json()["reasons"] == [f"namespace 'sbemulatorns': nobody listens on port {bus.port}"]


def test_health_tells_of_a_check_that_fails(bus: Emulator) -> None:
    """The hook for a store: what it says is a reason."""
    bus.call(lambda server: server.context.checks.append(lambda: "the store is not writable"))
    answer = get(bus, "/health")
    assert answer.status_code == 503
    assert answer.json()["reasons"] == ["namespace 'sbemulatorns': the store is not writable"]


def test_health_tells_of_an_event_loop_that_stood_still(bus: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stall is told of though the loop turns again: else nobody could ever see one."""
    monkeypatch.setattr("peeklock.servicebus.gateway.loop_monitor.INTERVAL", 0.05)
    monkeypatch.setattr("peeklock.servicebus.gateway.health.STALL", 0.3)
    bus.call(lambda server: (server.context.monitor.stop(), server.context.monitor.start()))
    bus.call(lambda _: time.sleep(0.5))
    answer = get(bus, "/health")
    assert answer.status_code == 503
    assert "the event loop stood still for 0." in answer.json()["reasons"][0]
    monkeypatch.setattr("peeklock.servicebus.gateway.loop_monitor.MEMORY", 0.0)
    assert get(bus, "/health").status_code == 200


@pytest.mark.parametrize(("path", "rule"), [("/metrics", None), ("/metrics", RULES[1]), ("/metrics", RULES[2])])
def test_metrics_are_for_who_may_manage_the_namespace(bus: Emulator, path: str, rule: AccessRule | None) -> None:
    """No token, Send alone, or the rights of one entity: 401."""
    assert get(bus, path, rule).status_code == 401


def test_metrics_count_what_happened_by_entity(bus: Emulator) -> None:
    """Gauges are what is, counters are what the ledger has; errors by condition; a parser of Prometheus' own reads it."""
    before = metrics(bus)
    assert before["messages", "q", "active"] == 0
    with Client(bus.connection_string()) as client:
        client.send("q", [OutgoingMessage(b"x", message_id=name) for name in "abcd"])
        client.send("twin", [OutgoingMessage(b"x", message_id="same")])
        client.send("twin", [OutgoingMessage(b"x", message_id="same")])
        client.send("t", [OutgoingMessage(b"x")])
        first, second, third = client.receive("q", 3)
        client.complete(first)
        client.abandon(second)
        client.defer(third)
        with pytest.raises(ServiceBusError):
            client.complete(first)
        with pytest.raises(ServiceBusError):
            client.receive("nowhere")
        found: dict[tuple[str, ...], Any] = metrics(bus)
        states = {key[2]: value for key, value in found.items() if key[:2] == ("messages", "q")}
        assert states == {
            "active": 1, "locked": 0, "scheduled": 0, "deferred": 1, "dead_letter": 1, "transfer_dead_letter": 0,
        }  # fmt: skip
        assert found["size_bytes", "q"] > 0
        assert found["messages", "t/Subscriptions/sub", "active"] == 1
        operations = {key[2]: value for key, value in found.items() if key[:2] == ("operations_total", "q")}
        assert operations == {
            "enqueued": 4, "delivered": 3, "completed": 1, "abandoned": 1, "dead_lettered": 1, "deferred": 1,
        }  # fmt: skip
        assert found["operations_total", "twin", "duplicate_dropped"] == 1
        assert found["errors_total", "", "com.microsoft:message-lock-lost"] == 1  # its link knows the delivery no more
        assert found["errors_total", "", "cbs:404"] == 1
        bus.faults.server_busy("q", operations="send")
        with pytest.raises(ServiceBusError):
            client.send("q", [OutgoingMessage(b"x")])
        assert metrics(bus)["errors_total", "q", "com.microsoft:server-busy"] == 1
        assert found["connections", "amqp"] == found["connections_opened_total",] == 1
        assert found["links", "q", "sender"] == found["links", "q", "receiver"] == 1


def test_nobody_makes_metrics_grow_by_naming_things(bus: Emulator) -> None:
    """Errors about entities that are not there have no name; those of deleted entities go with them."""
    with Client(bus.connection_string()) as client:
        for number in range(5):
            with pytest.raises(ServiceBusError):
                client.receive(f"made-up-{number}")
        client.send("twin", [OutgoingMessage(b"x")])
    assert not any("made-up" in part for key in metrics(bus) for part in key)
    bus.call(lambda server: server.administration.remove("twin"))
    assert not any(part.startswith("twin") for key in metrics(bus) for part in key)
