"""A namespace that changes while clients use it: by the control API, and by a configuration that is read again."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from peeklock.servicebus import (
    AccessRule,
    Client,
    Emulator,
    Identity,
    OutgoingMessage,
    Queue,
    Rule,
    ServiceBusError,
    Subscription,
    Topic,
    Topology,
    TopologyError,
)
from peeklock.servicebus.broker import BrokerError
from peeklock.servicebus.gateway import Limits
from peeklock.servicebus.gateway.control.changes import apply
from tests.conformance.servicebus.control import call, process, text

BEFORE = Topology(
    queues={"kept": Queue(max_delivery_count=3), "gone": Queue(), "s": Queue(requires_session=True)},
    topics={"t": Topic(subscriptions={"all": Subscription(), "old": Subscription()})},
)


def change(bus: Emulator, topology: Topology) -> dict[str, list[str]]:
    changes = bus.call(lambda server: apply(server.administration, topology))
    return {"added": changes.added, "changed": changes.changed, "removed": changes.removed}


def test_a_topology_with_too_many_entities_changes_nothing() -> None:
    """It is refused before anything is made; as many as there may be are taken."""
    with Emulator(Topology(queues={"kept": Queue(), "gone": Queue()}), limits=Limits(entities=3)) as bus:
        with pytest.raises(BrokerError, match="can have 3 queues and topics, and no more: 4"):
            change(bus, Topology(queues={name: Queue() for name in ("kept", "a", "b", "c")}))
        assert [queue["name"] for queue in bus.entities()] == ["kept", "gone"]
        assert change(bus, Topology(queues={name: Queue() for name in ("kept", "a", "b")}))["added"] == ["a", "b"]


def test_what_is_declared_becomes_what_is_there() -> None:
    """Entities are made, changed and deleted; messages, and what an administrator made, stay."""
    with Emulator(BEFORE) as bus, Client(bus.connection_string()) as client:
        bus.call(lambda server: server.namespace.add_queue("by-hand", Queue()))
        client.send("kept", [OutgoingMessage(b"x", message_id="m")])
        after = Topology(
            queues={"kept": Queue(max_delivery_count=1), "s": Queue(requires_session=True), "new": Queue()},
            topics={
                "t": Topic(subscriptions={"all": Subscription(rules={"none": Rule(matches=False)})}),
                "u": Topic(subscriptions={"first": Subscription(forward_to="new")}),
            },
        )
        assert change(bus, after) == {
            "added": ["new", "u", "u/Subscriptions/first"],
            "changed": ["kept", "t/Subscriptions/all"],
            "removed": ["gone", "t/Subscriptions/old"],
        }
        (message,) = client.receive("kept")
        client.abandon(message)
        assert bus.entities()[0]["dead_letter"] == 1
        client.send("u", [OutgoingMessage(b"x", message_id="through")])
        assert client.receive("new")[0].message_id == "through"
        client.send("t", [OutgoingMessage(b"x")])
        assert client.receive("t/Subscriptions/all", 1, 0.05) == []
        client.send("by-hand", [OutgoingMessage(b"x")])
        with pytest.raises(ServiceBusError, match="could not be found"):
            client.send("gone", [OutgoingMessage(b"x")])
        assert change(bus, after) == {"added": [], "changed": [], "removed": []}


def test_links_to_what_is_deleted_or_disabled_are_told() -> None:
    """S-77: as an administrator's change does."""
    with Emulator(BEFORE) as bus, Client(bus.connection_string()) as client:
        client.send("kept", [OutgoingMessage(b"x")])
        change(bus, Topology(queues={"kept": Queue(max_delivery_count=3, status="SendDisabled")}))
        with pytest.raises(ServiceBusError, match="entity-disabled"):
            client.send("kept", [OutgoingMessage(b"x")])
        assert [queue["name"] for queue in bus.entities()] == ["kept"]


def test_access_rules_change_too() -> None:
    """A rule that is gone signs nothing more; a new one does."""
    with Emulator(BEFORE) as bus:
        app = AccessRule("app", "app-key", ("Send",), "kept")
        change(bus, Topology(queues=BEFORE.queues, topics=BEFORE.topics, access_rules=(app,)))
        with Client(bus.connection_string()) as root, pytest.raises(ServiceBusError, match="invalid signature"):
            root.send("kept", [OutgoingMessage(b"x")])
        with Client(text(bus.port, "app", "app-key")) as client:
            client.send("kept", [OutgoingMessage(b"x")])


@pytest.mark.parametrize(
    ("topology", "words"),
    [
        (Topology(queues={"s": Queue()}), "'s': requires_session is settled .* expected True, got False"),
        (Topology(queues={"kept": Queue(duplicate_detection_window=60)}), "duplicate_detection_window is settled"),
        (Topology(queues={"kept": Queue(partitioned=True)}), "partitioned is settled"),
        (Topology(topics={"kept": Topic()}), "'kept': a queue cannot become a topic"),
        (Topology(queues={"t": Queue()}), "'t': a queue cannot become a topic"),
        (Topology(sku="Premium"), "sku: it cannot be changed"),
        (Topology(identity=Identity()), "identity: only its roles can be changed"),
        (Topology(port=1), "port: expected .* got 1"),
    ],
)
def test_what_cannot_be_changed_changes_nothing(topology: Topology, words: str) -> None:
    """S-57: it says what, what was expected and found, and how to go on."""
    with Emulator(BEFORE) as bus:
        with pytest.raises(TopologyError, match=words) as caught:
            change(bus, topology)
        assert caught.value.fix
        assert [queue["name"] for queue in bus.entities()] == ["kept", "gone", "s"]


def test_by_the_control_api_and_over_a_restart(tmp_path: Path) -> None:
    """PUT of a topology; with a data folder it is kept."""
    declared: dict[str, Any] = {"queues": {"a": {}}}
    for turn in (1, 2):
        with process("--no-default-namespace", "--data-dir", str(tmp_path)) as (child, ready):
            port = ready["control_port"]
            if turn == 1:
                assert call(port, "PUT", "/namespaces/n", declared)[0] == 200
                status, changes = call(port, "PUT", "/namespaces/n/topology", {"queues": {"b": {}}})
                assert (status, changes) == (200, {"added": ["b"], "changed": [], "removed": ["a"]})
                assert call(port, "PUT", "/namespaces/n/topology", {"sku": "Premium"})[0] == 400
                assert call(port, "PUT", "/namespaces/m/topology", {})[0] == 404
            found = call(port, "GET", "/namespaces/n/entities")[1]["queues"]
            assert [queue["name"] for queue in found] == ["b"]
            child.send_signal(signal.SIGTERM)
            child.wait(10)


def test_a_configuration_is_read_again_on_sighup(tmp_path: Path) -> None:
    """New namespaces are made, the others change; a file that cannot be is logged, and nothing changes."""
    path = tmp_path / "bus.json"

    def write(body: dict[str, Any]) -> None:
        path.write_text(json.dumps(body), encoding="utf-8")

    write({"namespaces": {"one": {"queues": {"a": {}}}}})
    with process("--port", "0", "--config", str(path)) as (child, ready):

        def reload(event: str) -> dict[str, Any]:
            child.send_signal(signal.SIGHUP)
            for line in child.stderr:
                record: dict[str, Any] = json.loads(line)
                if record["event"] == event:
                    return record
            raise AssertionError(event)

        write({"namespaces": {"one": {"queues": {"a": {}, "b": {}}}}})
        assert reload("config.applied")["added"] == ["b"]
        with Client(text(ready["amqp_port"])) as client:
            client.send("b", [OutgoingMessage(b"x")])
        write({"namespaces": {"one": {"queues": {"a": {"requires_session": True}}}}})
        assert "requires_session is settled" in reload("config.refused")["problem"]
        path.write_text("{", encoding="utf-8")
        assert "is not JSON" in reload("config.refused")["problem"]
        write({"namespaces": {"one": {"queues": {"a": {}, "b": {}}}, "two": {"queues": {"c": {}}}}})
        port = reload("namespace.listening")["port"]
        with Client(text(port)) as client:
            client.send("c", [OutgoingMessage(b"x")])
