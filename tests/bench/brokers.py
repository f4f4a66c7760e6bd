"""The emulator and RabbitMQ, side by side: one raw client, the same work, in turns."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from peeklock.servicebus import Client
from peeklock.servicebus.amqp import Receiver, frames
from peeklock.servicebus.client.channel import Channel
from peeklock.servicebus.client.messages import OutgoingMessage
from tests.bench.rabbitmq import rabbitmq
from tests.bench.servicebus import broker

ROUNDS = 5
_WINDOW = 500


class Worker:
    """A client of one queue that sends and receives as fast as the broker lets it."""

    def __init__(self, channel: Channel, queue: str) -> None:
        self._channel = channel
        self._queue = queue
        self._sender = channel.attach_sender(queue)
        self._payload = OutgoingMessage(b"x" * 1024, message_id="m", application_properties={"k": 1}).encode()

    def send(self, count: int) -> float:
        """Send messages of 1 KB, each accepted by the broker; return messages a second."""
        began = time.perf_counter()
        for _ in range(count // _WINDOW):
            self._channel.send(self._sender, [self._payload] * _WINDOW)
        return count / (time.perf_counter() - began)

    def receive(self, count: int) -> float:
        """Receive messages and complete them one by one; return messages a second."""
        channel = self._channel
        source, target = frames.source(self._queue), frames.target("bench")
        link = channel.session.attach(
            Receiver, f"bench-{time.monotonic_ns()}", source=source, target=target, snd_settle_mode=0, rcv_settle_mode=0
        )
        assert isinstance(link, Receiver)
        box = channel.inbox.setdefault(link.id, [])
        began, done = time.perf_counter(), 0
        link.grant(_WINDOW, auto=True)
        while done < count:
            channel.wait(lambda: box, "messages")
            for event in box:
                channel.session.settle(event.id, frames.ACCEPTED, settled=True)
            done += len(box)
            box.clear()
            channel.flush()
        channel.send(self._sender, [self._payload])  # its outcome comes behind all that was to be done before
        rate = count / (time.perf_counter() - began)
        link.detach()
        channel.flush()
        return rate


@contextmanager
def _workers() -> Iterator[tuple[Worker, Worker]]:
    with ExitStack() as stack:
        _, theirs = stack.enter_context(rabbitmq())
        _, connection = stack.enter_context(broker())
        client = stack.enter_context(Client(connection))
        channel = Channel("127.0.0.1", theirs, tls=False)
        stack.callback(channel.close)
        yield Worker(client._ready("bench"), "bench"), Worker(channel, "/queue/bench")


def compare(count: int = 10_000) -> dict[str, tuple[list[float], list[float]]]:
    """Return messages a second, the emulator's and RabbitMQ's, in rounds that take turns, of each kind of work.
    Raises `CannotMeasureError` where RabbitMQ is not installed."""
    rates: dict[str, tuple[list[float], list[float]]] = {"send": ([], []), "receive + complete": ([], [])}
    with _workers() as workers:
        for number in range(ROUNDS + 1):
            for index, worker in enumerate(workers):
                sent, received = worker.send(count), worker.receive(count)
                if number:  # the first round warms both up
                    rates["send"][index].append(sent)
                    rates["receive + complete"][index].append(received)
    return rates


if __name__ == "__main__":
    for work, (ours, theirs) in compare().items():
        print(work, sorted(map(int, ours)), sorted(map(int, theirs)))
