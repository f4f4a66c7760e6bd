"""Who has asked an entity for messages: also who got none, and who has gone since; not who only peeks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from azure.servicebus import ServiceBusClient

from peeklock.servicebus import AccessRule, Emulator, Queue, Topology

RULES = {name: AccessRule(name, f"{name}-key") for name in ("one", "two")}
TOPOLOGY = Topology(
    queues={"jobs": Queue(), "sessions": Queue(requires_session=True)}, access_rules=list(RULES.values())
)


@pytest.fixture
def bus() -> Iterator[Emulator]:
    with Emulator(TOPOLOGY) as emulator:
        yield emulator


def client(bus: Emulator, rule: str) -> ServiceBusClient:
    return ServiceBusClient.from_connection_string(bus.connection_string(rule))


def asked(bus: Emulator, queue: str = "jobs") -> list[str]:
    return next(facts["consumers"] for facts in bus.entities() if facts["name"] == queue)


def test_who_asked_for_a_moment_is_remembered(bus: Emulator) -> None:
    """Until the reset; who is still there then has asked in the next case too."""
    with client(bus, "one") as one, one.get_queue_receiver("jobs") as receiver:
        receiver.receive_messages(max_wait_time=0.2)
        with client(bus, "two") as two, two.get_queue_receiver("jobs") as brief:
            brief.receive_messages(max_wait_time=0.2)
        assert asked(bus) == ["one", "two"]
        bus.reset()
        assert asked(bus) == ["one"]


def test_who_only_peeks_or_sends_asks_for_nothing(bus: Emulator) -> None:
    with client(bus, "one") as one, one.get_queue_receiver("jobs") as receiver, one.get_queue_sender("jobs"):
        assert receiver.peek_messages(5) == []
        assert asked(bus) == []


def test_who_waits_for_a_session_has_asked(bus: Emulator) -> None:
    with client(bus, "one") as one, one.get_queue_receiver("sessions", session_id="s"):
        assert asked(bus, "sessions") == ["one"]
