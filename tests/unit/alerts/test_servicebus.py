"""The metrics of a namespace, folded from histories that a real broker made."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from peeklock.alerts.servicebus import servicebus_metrics
from peeklock.servicebus import Client, Emulator, ManualClock, OutgoingMessage, Queue, Topology

START = 1_800_000_000.0


def send(client: Client, clock: ManualClock) -> None:
    client.send("jobs", [OutgoingMessage(b"x", message_id=str(number)) for number in range(3)])
    clock.advance(60)


def dead_letter(client: Client, clock: ManualClock) -> None:
    send(client, clock)
    first, second, _ = client.receive("jobs", 3)
    client.complete(first)
    client.dead_letter(second, reason="bad")
    clock.advance(60)


def purge_dead_letters(client: Client, clock: ManualClock) -> None:
    dead_letter(client, clock)
    (dead,) = client.receive("jobs/$deadletterqueue", 1)
    client.complete(dead)
    clock.advance(60)


@pytest.mark.parametrize(
    ("act", "samples"),
    [
        (send, {"ActiveMessages": [3]}),
        (dead_letter, {"ActiveMessages": [3, 1], "DeadletteredMessages": [1]}),
        (purge_dead_letters, {"ActiveMessages": [3, 1, 1], "DeadletteredMessages": [1, 0]}),
    ],
)
def test_how_many_messages_there_are_is_sampled_each_minute(
    act: Callable[[Client, ManualClock], None], samples: dict[str, list[float]]
) -> None:
    clock = ManualClock(START)
    with Emulator(Topology(queues={"jobs": Queue(lock_duration=300)}), clock=clock) as emulator:
        with Client(emulator.connection_string()) as client:
            act(client, clock)
        metrics = servicebus_metrics(emulator.ledger.entries(), clock.now())
    found = {name: [point.value for point in points] for name, points in metrics.items() if name.endswith("Messages")}
    assert {name: found[name] for name in samples} == samples
    assert {tuple(point.dimensions.items()) for points in metrics.values() for point in points} == {
        (("EntityName", "jobs"),)
    }


def test_what_happens_is_counted_at_its_moment() -> None:
    clock = ManualClock(START)
    with Emulator(Topology(queues={"jobs": Queue(lock_duration=300)}), clock=clock) as emulator:
        with Client(emulator.connection_string()) as client:
            dead_letter(client, clock)
        metrics = servicebus_metrics(emulator.ledger.entries(), clock.now())
    counts = {
        name: [point.at - START for point in points]
        for name, points in metrics.items()
        if not name.endswith("eredMessages")
    }
    assert counts["IncomingMessages"] == [0, 0, 0]
    assert counts["OutgoingMessages"] == [60, 60, 60]
    assert counts["CompleteMessage"] == [60]
