"""AutoDeleteOnIdle over the wire: whoever is attached is told, whoever works keeps the entity (S-87)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from azure.core.exceptions import ResourceNotFoundError
from azure.servicebus.management import ServiceBusAdministrationClient

from peeklock.servicebus import Client, Emulator, ManualClock, OutgoingMessage, Queue, ServiceBusError, Topology
from peeklock.servicebus.gateway import certificates


@pytest.fixture
def bus(tmp_path, monkeypatch):
    monkeypatch.setenv("PEEKLOCK_CACHE", str(tmp_path))
    with Emulator(Topology(queues={"q": Queue(auto_delete_on_idle=600)}), clock=ManualClock()) as bus:
        yield bus


def test_an_idle_sender_is_detached_when_its_entity_goes(bus):
    """S-87: an attached sender that sends nothing is no use; peeks are. Its next send finds no entity."""
    with Client(bus.connection_string()) as client:
        client.send("q", [OutgoingMessage(b"x")])
        bus.advance(400)
        client.peek("q")
        bus.advance(400)
        assert [queue["name"] for queue in bus.entities()] == ["q"]
        bus.advance(200)
        assert bus.entities() == []
        with pytest.raises(ServiceBusError) as refused:
            client.send("q", [OutgoingMessage(b"x")])
        assert refused.value.condition == "amqp:not-found"


def test_a_receiver_keeps_its_entity(bus):
    """S-87: also one that gets nothing."""
    with Client(bus.connection_string()) as client:
        assert client.receive("q", wait=0.0) == []
        bus.advance(6_000)
        assert [queue["name"] for queue in bus.entities()] == ["q"]
    assert any(not bus.entities()[0]["receivers"] for _ in range(10_000)), "the receiver has gone"
    bus.advance(600)
    assert bus.entities() == []


def test_the_administration_client_sets_it(bus):
    """S-84, S-87: what it sets is done; the queue is gone for it, too, and can be made anew with other rules."""
    string = bus.connection_string()
    ca = str(certificates.authority())
    with ServiceBusAdministrationClient.from_connection_string(string, connection_verify=ca, retry_total=0) as admin:
        assert admin.get_queue("q").auto_delete_on_idle == timedelta(minutes=10)
        admin.create_queue("r", auto_delete_on_idle=timedelta(minutes=5), user_metadata="first")
        admin.create_topic("t", auto_delete_on_idle=timedelta(minutes=6))
        admin.create_subscription("t", "s", auto_delete_on_idle=timedelta(minutes=5))
        bus.advance(300)
        for missing in (lambda: admin.get_queue("r"), lambda: admin.get_subscription("t", "s")):
            with pytest.raises(ResourceNotFoundError):
                missing()
        assert admin.create_queue("r").user_metadata is None
        bus.advance(60)
        assert [topic.name for topic in admin.list_topics()] == []
