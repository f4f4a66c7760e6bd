"""What the emulator takes: time to start, memory a message, pauses, and whether cost grows with what it holds."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from peeklock.servicebus import Client, OutgoingMessage
from peeklock.servicebus.amqp import Receiver, Sender, frames
from peeklock.servicebus.amqp.encode import encode
from peeklock.servicebus.amqp.sections import BATCH_FORMAT
from peeklock.servicebus.client.channel import Channel
from tests.bench.command import median
from tests.bench.servicebus import CONNECTION, cpu, memory

_BATCH = 100
_SASL = b"AMQP\x03\x01\x00\x00"


@contextmanager
def broker(
    queues: int = 1, *, env: dict[str, str] | None = None, options: Sequence[str] = ()
) -> Iterator[tuple[int, str]]:
    """Start a broker with queues `q0`, `q1` … and these options; give its pid and connection string."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "Config.json"
        named = [{"Name": f"q{number}"} for number in range(queues)]
        path.write_text(
            json.dumps({"UserConfig": {"Namespaces": [{"Name": "sbemulatorns", "Queues": named, "Topics": []}]}})
        )
        command = [sys.executable, "-m", "peeklock.servicebus", "--port", "0", "--config", str(path), *options]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=env) as child:
            assert child.stdout is not None
            try:
                yield child.pid, CONNECTION.format(json.loads(child.stdout.readline())["amqp_port"])
            finally:
                child.terminate()


def cold_start(rounds: int = 11) -> float:
    """Return how many times longer than `python -c "import asyncio"` it takes from nothing to the first answer on a
    connection. Both run from compiled files, as installed packages do."""
    import socket

    emulator, asyncio = [], []
    with tempfile.TemporaryDirectory() as folder:
        env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        env["PYTHONPYCACHEPREFIX"] = folder
        for number in range(rounds + 1):
            began = time.perf_counter()
            subprocess.run([sys.executable, "-c", "import asyncio"], env=env, check=True)
            middle = time.perf_counter()
            with subprocess.Popen(
                [sys.executable, "-m", "peeklock.servicebus", "--port", "0"],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=env,
            ) as child:
                assert child.stdout is not None
                port = json.loads(child.stdout.readline())["amqp_port"]
                with socket.create_connection(("127.0.0.1", port)) as connection:
                    connection.sendall(_SASL)
                    connection.recv(64)
                    ended = time.perf_counter()
                child.terminate()
            if number:  # the first round compiles
                asyncio.append(middle - began)
                emulator.append(ended - middle)
    return median(emulator) / median(asyncio)


def start(queues: int, rounds: int = 3) -> float:
    """Return the seconds until an emulator with so many queues listens."""
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        with broker(queues):
            taken.append(time.perf_counter() - began)
    return median(taken)


class _Filler:
    """Sends batches to one queue."""

    def __init__(self, channel: Channel, queue: str, size: int) -> None:
        self._channel = channel
        self._sender = channel.attach_sender(queue)
        payload = OutgoingMessage(b"x" * size, message_id="m" * 32).encode()
        self._batch = (b"\x00\x53\x75" + encode(payload)) * _BATCH

    def fill(self, count: int) -> None:
        """Send messages, in batches of 100."""
        left = count // _BATCH
        while left:
            burst = min(left, 50)
            self._channel.send(self._sender, [self._batch] * burst, BATCH_FORMAT)
            left -= burst


def memory_of_a_message(count: int = 200_000) -> float:
    """Return kilobytes of memory for each message of 1 KB in a long queue."""
    with broker() as (pid, connection), Client(connection) as client:
        filler = _Filler(client._ready("q0"), "q0", 1024)
        filler.fill(10_000)
        before = memory(pid)
        filler.fill(count)
        return (memory(pid) - before) * 1024 / count


def longest_pause(count: int = 200_000) -> float:
    """Return how many milliseconds a second client has had to wait at most while a queue grew to so many messages: the worst
    of its round trips, less the median."""
    with broker(2) as (_, connection), Client(connection) as client:
        filler = _Filler(client._ready("q0"), "q0", 1024)
        filler.fill(10_000)
        with _pinger(connection) as pinger:
            filler.fill(count)
        trips = json.loads(pinger.communicate(timeout=60)[0])
    return max(trips) - median(trips)


@contextmanager
def _pinger(connection: str) -> Iterator[subprocess.Popen[str]]:
    """Have a process of its own send to `q1` over and over; at the end it tells how many milliseconds each send took."""
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.ping", "q1"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(connection + "\n")
    child.stdin.flush()
    child.stdout.readline()  # it is connected
    try:
        yield child
    finally:
        child.send_signal(signal.SIGINT)


def many_connections(count: int = 1_000) -> tuple[float, float]:
    """Return the broker's CPU for a message, sent and received over so many connections in turns, against that over one; and
    the kilobytes of memory that a connection takes."""
    with broker() as (pid, connection), ExitStack() as stack:
        single = stack.enter_context(Client(connection))
        _exchange([single], 2_000)
        alone = _cost(pid, 2_000, lambda: _exchange([single], 2_000))
        before = memory(pid)
        clients = [stack.enter_context(Client(connection)) for _ in range(count)]
        _exchange(clients, count)
        taken = (memory(pid) - before) * 1024 / count
        return _cost(pid, 2 * count, lambda: _exchange(clients, 2 * count)) / alone, taken


def _exchange(clients: list[Client], count: int) -> None:
    for number in range(count):
        client = clients[number % len(clients)]
        client.send("q0", [OutgoingMessage(b"x" * 1024, message_id="m")])
        client.receive("q0", max_messages=1, wait=5.0, mode="receive_and_delete")


def entities(count: int = 1_000, rounds: int = 5) -> float:
    """Return the broker's CPU for a message when it goes through one of so many queues, against that with one queue."""
    return median([_spread(count) / _spread(1) for _ in range(rounds)])


def _spread(queues: int) -> float:
    with broker(queues) as (pid, connection), Client(connection) as client:
        for number in range(queues):
            channel = client._ready(f"q{number}")  # a token each
        links = []
        for number in range(queues):
            if number % 400 == 0:
                channel.session = channel.amqp.begin()  # one holds 1,024 links
            queue = f"q{number}"
            links.append((channel.attach_sender(queue), channel.attach_receiver(queue, settled=False)))
        _through(channel, links, 2_000)
        return _cost(pid, 10_000, lambda: _through(channel, links, 10_000))


def _through(channel: Channel, links: list[tuple[Sender, Receiver]], count: int) -> None:
    """Send messages over all links in turns, and receive and complete as many: one credit, one transfer, one settlement each."""
    payload = OutgoingMessage(b"x" * 1024, message_id="m").encode()
    for start in range(0, count, 50):
        turn = [links[number % len(links)] for number in range(start, start + 50)]
        boxes = [channel.inbox.setdefault(receiver.id, []) for _, receiver in dict(turn).items()]
        for sender, receiver in turn:
            sender.send(payload, context=sender)
            receiver.grant(receiver.credit + 1)
            channel.flush()
        channel.wait(lambda: sum(map(len, boxes)) >= len(turn), "messages")  # noqa: B023 -- called at once
        channel.outcomes.clear()
        for box in boxes:
            for event in box:
                channel.session.settle(event.id, frames.ACCEPTED, settled=True)
            box.clear()
        channel.flush()


def depth(count: int = 1_000_000, rounds: int = 3) -> float:
    """Return the broker's CPU for a message, sent, received and completed, with so many queued before it, against none."""
    return median([_depth(count) for _ in range(rounds)])


def _depth(count: int) -> float:
    with broker() as (pid, connection), Client(connection) as client:
        channel = client._ready("q0")
        links = [(channel.attach_sender("q0"), channel.attach_receiver("q0", settled=False))]
        _through(channel, links, 2_000)
        shallow = _cost(pid, 10_000, lambda: _through(channel, links, 10_000))
    with broker() as (pid, connection), Client(connection) as client:
        channel = client._ready("q0")
        _Filler(channel, "q0", 100).fill(count)
        links = [(channel.attach_sender("q0"), channel.attach_receiver("q0", settled=False))]
        _through(channel, links, 2_000)
        return _cost(pid, 10_000, lambda: _through(channel, links, 10_000)) / shallow


def _cost(pid: int, count: int, work: object) -> float:
    before = cpu(pid)
    work()  # type: ignore[operator]
    return (cpu(pid) - before) / count
