"""Peers that take and do not give, beside a client that goes on working: the emulator's memory and the client's latency."""

from __future__ import annotations

import contextlib
import json
import resource
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from peeklock.servicebus import Client, OutgoingMessage, ServiceBusError
from peeklock.servicebus.amqp.encode import described, encode
from peeklock.servicebus.amqp.sections import build
from peeklock.servicebus.amqp.types import Int, Long, Symbol
from tests.chaos.emulator_kills import connection_text

HALF_TLS = b"\x16\x03\x01\x40\x00" + b"\x01" * 64
"""The beginning of a handshake whose rest never comes."""
SLOW_HTTP = b"POST /q/messages HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n"


@dataclass
class Felt:
    """What a kind of peer has done to the emulator."""

    kind: str
    peak: int
    """Megabytes of memory, at the most."""
    before: float
    """The 99th percentile of a round trip, in milliseconds, without the peers."""
    during: float
    failed: int
    """Round trips that were not answered."""


def run(seconds: float, folder: Path) -> list[Felt]:
    """Meet each kind of peer for a share of the time."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(20_000, most), most))
    return [_meet(kind, peers, seconds / len(KINDS), folder) for kind, peers in KINDS.items()]


def _meet(kind: str, peers: Callable[[int, threading.Event], None], seconds: float, folder: Path) -> Felt:
    config = folder / "Peers.json"
    namespace = {"Name": "sbemulatorns", "Queues": [{"Name": "q", "Properties": {}}], "Topics": []}
    config.write_text(json.dumps({"UserConfig": {"Namespaces": [namespace]}}), encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-m", "peeklock.servicebus", "--port", "0", "--config", str(config)],
        stdout=subprocess.PIPE, stderr=(folder / "peers.log").open("ab"), text=True,
    )  # fmt: skip
    assert process.stdout is not None
    port = int(json.loads(process.stdout.readline())["amqp_port"])
    over = threading.Event()
    try:
        before, _ = _round_trips(port, seconds / 4)
        thread = threading.Thread(target=peers, args=(port, over), daemon=True)
        thread.start()
        during, failed = _round_trips(port, seconds * 3 / 4)
        over.set()
        thread.join(30)
        return Felt(kind, _peak(process.pid), before, during, failed)
    finally:
        over.set()
        process.kill()
        process.wait()


def _round_trips(port: int, seconds: float) -> tuple[float, int]:
    took: list[float] = []
    failed = 0
    end = time.monotonic() + seconds
    with Client(connection_text(port), timeout=20) as client:
        while time.monotonic() < end:
            began = time.monotonic()
            try:
                client.send("q", [OutgoingMessage(b"x")])
                for message in client.receive("q", wait=5.0):
                    client.complete(message)
            except (ServiceBusError, OSError):
                failed += 1
            took.append(time.monotonic() - began)
    took.sort()
    return took[int(len(took) * 0.99)] * 1000 if took else 0.0, failed


def _peak(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) // 1024 for line in status.splitlines() if line.startswith("VmHWM"))


def _many(first: bytes, count: int) -> Callable[[int, threading.Event], None]:
    def connect(port: int, over: threading.Event) -> None:
        held: list[socket.socket] = []
        while not over.is_set() and len(held) < count:
            with contextlib.suppress(OSError):
                peer = socket.create_connection(("127.0.0.1", port), 5)
                peer.sendall(first)
                held.append(peer)
        over.wait()
        for peer in held:
            peer.close()

    return connect


def _who_never_read(port: int, over: threading.Event) -> None:
    """Ask for pages of large messages, and read none of them."""
    with Client(connection_text(port)) as client:
        client.send("q", [OutgoingMessage(b"y" * 60_000) for _ in range(50)])
    while not over.is_set():
        with contextlib.suppress(ServiceBusError, OSError), Client(connection_text(port)) as client:
            client.peek("q", 1)
            channel = client._channel
            assert channel is not None
            sender, receiver = channel._pairs["q/$management"]
            ids = ["p", None, None, None, receiver.target.value[0], *[None] * 8]
            asked = {Symbol("from-sequence-number"): Long(0), Symbol("message-count"): Int(50)}
            raw = build(
                properties=ids, application_properties={"operation": "com.microsoft:peek-message"}, value=encode(asked)
            )
            for _ in range(min(3_000, sender.credit)):
                sender.send(raw, settled=True, tag=b"p")
                channel.flush()
            over.wait(5)


def _who_send_anything(port: int, over: threading.Event) -> None:
    raw = build(value=encode({"a": [1] * 50})) + described(0x10, "x")
    while not over.is_set():
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5) as peer:
            peer.sendall(b"AMQP\x03\x01\x00\x00" + raw * 20)
            peer.settimeout(0.2)
            peer.recv(100)


KINDS: dict[str, Callable[[int, threading.Event], None]] = {
    "half TLS handshakes": _many(HALF_TLS, 8_000),
    "half HTTP requests": _many(SLOW_HTTP, 4_000),
    "silent connections": _many(b"", 4_000),
    "peeks that nobody reads": _who_never_read,
    "random frames": _who_send_anything,
}
