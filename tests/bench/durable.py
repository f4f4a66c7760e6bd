"""What it costs to keep everything on disk (`--data-dir`): `python -m tests.bench.durable`."""

from __future__ import annotations

import os
import selectors
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from peeklock.servicebus import Client, OutgoingMessage
from peeklock.servicebus.client.channel import Channel
from tests.bench.command import median
from tests.bench.emulator import broker
from tests.bench.table import Row, render

SENDERS = 10
_BODY = b"x" * 1024


def compare() -> Iterator[Row]:
    """Yield the rows of the store."""
    ratio, kept, held = rates()
    note = f"{kept:,.0f} and {held:,.0f} messages a second, ten senders, 1 KB each"
    yield Row("emulator: rate in memory / with a data folder", ratio, "x", 2.0, note)
    added, sync = latency()
    note = f"a send takes {added:.2f} ms longer, an fsync {sync:.2f} ms"
    yield Row("emulator: what a data folder adds to a send / an fsync", added / sync, "x", 2.0, note)
    yield Row("emulator: time of a send after 200,000 messages / at first", soak(), "x", 1.1)


def rates(count: int = 20_000, rounds: int = 5) -> tuple[float, float, float]:
    """Return how many times as fast ten senders are in memory, each with one message under way; then the messages a second
    with a data folder, and in memory."""
    pairs = [(_rate(count, durable=True), _rate(count, durable=False)) for _ in range(rounds)]
    kept, held = (median([pair[side] for pair in pairs]) for side in (0, 1))
    return median([other / one for one, other in pairs]), kept, held


def latency(count: int = 2_000, rounds: int = 5) -> tuple[float, float]:
    """Return how many milliseconds longer one sender's send takes with a data folder than in memory, and how many an fsync
    of as many bytes takes on the same disk."""
    added, syncs = [], []
    for _ in range(rounds):
        trips = []
        for durable in (True, False):
            with _kept(durable=durable) as connection, Client(connection) as client:
                trips.append(median(_trips(client, count)))
        added.append(trips[0] - trips[1])
        syncs.append(median(_syncs(200)))
    return median(added), median(syncs)


def soak(count: int = 200_000) -> float:
    """Return the median time of a send, received and completed, in the last tenth of so many messages against the first."""
    with _kept(durable=True) as connection, Client(connection) as client:
        _trips(client, 2_000)
        trips = _trips(client, count, drained=True)
    tenth = count // 10
    return median(trips[-tenth:]) / median(trips[:tenth])


@contextmanager
def _kept(*, durable: bool) -> Iterator[str]:
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="peeklock-bench-"))
        options = ("--data-dir", str(Path(folder) / "data")) if durable else ()
        _, connection = stack.enter_context(broker(options=options))
        yield connection


def _rate(count: int, *, durable: bool) -> float:
    with _kept(durable=durable) as connection, ExitStack() as stack:
        channels = [stack.enter_context(Client(connection))._ready("q0") for _ in range(SENDERS)]
        _send_side_by_side(channels, 1_000)
        began = time.perf_counter()
        _send_side_by_side(channels, count)
        return count / (time.perf_counter() - began)


def _send_side_by_side(channels: list[Channel], count: int) -> None:
    """Send over all connections at once, each the next message when it was told of the one before."""
    payload = OutgoingMessage(_BODY, message_id="m", application_properties={"k": 1}).encode()
    left = count
    with selectors.DefaultSelector() as ready:
        senders = {}
        for channel in channels:
            senders[channel] = channel.attach_sender("q0")
            ready.register(channel._socket, selectors.EVENT_READ, channel)
            senders[channel].send(payload, context=channel)
            channel.flush()
            left -= 1
        under_way = len(channels)
        while under_way:
            for key, _ in ready.select():
                channel = key.data
                channel.turn(0)
                told = len(channel.outcomes)
                channel.outcomes.clear()
                under_way -= told
                for _ in range(min(told, left)):
                    senders[channel].send(payload, context=channel)
                    under_way += 1
                    left -= 1
                channel.flush()


def _trips(client: Client, count: int, *, drained: bool = False) -> list[float]:
    trips = []
    for _ in range(count):
        began = time.perf_counter()
        client.send("q0", [OutgoingMessage(_BODY, message_id="m")])
        trips.append((time.perf_counter() - began) * 1000)
        if drained:
            client.receive("q0", max_messages=1, wait=5.0, mode="receive_and_delete")
    return trips


def _syncs(count: int) -> list[float]:
    taken = []
    with tempfile.TemporaryDirectory(prefix="peeklock-bench-") as folder, (Path(folder) / "synced").open("wb") as file:
        for _ in range(count):
            file.write(_BODY)
            file.flush()
            began = time.perf_counter()
            os.fsync(file.fileno())
            taken.append((time.perf_counter() - began) * 1000)
    return taken


if __name__ == "__main__":
    print("\n".join(render(list(compare()))))
