"""What is done to messages gives the same facts in the ledger, whichever backend the emulator runs on."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

from peeklock.scenario.topology import ServiceBus, Stack
from peeklock.servicebus import Client, OutgoingMessage
from peeklock.stack.backend import Environment
from peeklock.stack.local import LocalStack
from tests.conformance.stack.conftest import Project

BUS = {
    "queues": {
        "jobs": {"max_delivery_count": 2, "duplicate_detection_window": "10m"},
        "results": {"requires_session": True},
        "forwarding": {"forward_to": "jobs"},
    },
    "topics": {"news": {"subscriptions": {"all": {}, "urgent": {"rules": {"only": {"sql": "urgent = 1"}}}}}},
}
FACTS = [
    ("jobs", "enqueued", "done", None),
    ("jobs", "duplicate_dropped", "done", None),
    ("jobs", "delivered", "done", None),
    ("jobs", "completed", "done", None),
    ("jobs", "enqueued", "poison", None),
    ("jobs", "delivered", "poison", None),
    ("jobs", "abandoned", "poison", None),
    ("jobs", "delivered", "poison", None),
    ("jobs", "abandoned", "poison", None),
    ("jobs", "dead_lettered", "poison", "MaxDeliveryCountExceeded"),
    ("jobs/$deadletterqueue", "enqueued", "poison", None),
    ("jobs", "enqueued", "bad", None),
    ("jobs", "delivered", "bad", None),
    ("jobs", "dead_lettered", "bad", "Unreadable"),
    ("jobs/$deadletterqueue", "enqueued", "bad", None),
    ("jobs", "enqueued", "later", None),
    ("jobs", "delivered", "later", None),
    ("jobs", "deferred", "later", None),
    ("jobs", "scheduled", "tomorrow", None),
    ("jobs", "enqueued", "forwarded", None),
    ("news", "published", "plain", None),
    ("news/Subscriptions/all", "enqueued", "plain", None),
    ("news", "published", "hot", None),
    ("news/Subscriptions/all", "enqueued", "hot", None),
    ("news/Subscriptions/urgent", "enqueued", "hot", None),
]


def work(environment: Environment) -> None:
    with Client(environment.endpoints.servicebus_connection_string or "") as bus:
        for _ in range(2):
            bus.send("jobs", [OutgoingMessage(b"1", message_id="done")])
        bus.complete(bus.receive("jobs", 1)[0])
        bus.send("jobs", [OutgoingMessage(b"2", message_id="poison")])
        for _ in range(2):
            bus.abandon(bus.receive("jobs", 1)[0])
        bus.send("jobs", [OutgoingMessage(b"3", message_id="bad")])
        bus.dead_letter(bus.receive("jobs", 1)[0], "Unreadable", "not JSON")
        bus.send("jobs", [OutgoingMessage(b"4", message_id="later")])
        bus.defer(bus.receive("jobs", 1)[0])
        bus.schedule("jobs", OutgoingMessage(b"5", message_id="tomorrow"), datetime.now(UTC) + timedelta(days=1))
        bus.send("forwarding", [OutgoingMessage(b"6", message_id="forwarded")])
        bus.send("news", [OutgoingMessage(b"7", message_id="plain")])
        bus.send("news", [OutgoingMessage(b"8", message_id="hot", application_properties={"urgent": 1})])


def test_the_same_work_gives_the_same_facts(backend: type[LocalStack], project: Project) -> None:
    spec = project.spec(services={})
    spec = dataclasses.replace(spec, stack=Stack(servicebus=ServiceBus.model_validate(BUS)))
    with backend.start(project.root, room=1) as stack:
        environment = stack.environment(spec)
        work(environment)
        entries, _ = environment.ledger(0)
    facts = [(e.entity, e.event, e.message_id, e.reason) for e in entries if e.entity != "forwarding"]
    assert facts == FACTS
