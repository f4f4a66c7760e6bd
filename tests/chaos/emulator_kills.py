"""The emulator with `--data-dir`, killed again and again under clients who note what they were answered."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from peeklock.servicebus import Client, OutgoingMessage, ServiceBusError

KEY = "SAS_KEY_VALUE"
QUEUE = {"Name": "q", "Properties": {"LockDuration": "PT1M", "MaxDeliveryCount": 2000}}
SETTLEMENTS = ("complete", "complete", "complete", "abandon", "dead_letter", "release")


@dataclass
class Answered:
    """What clients were answered, over all lives of the emulator."""

    sent: set[str] = field(default_factory=set)
    completed: set[str] = field(default_factory=set)
    buried: set[str] = field(default_factory=set)
    unsure: set[str] = field(default_factory=set)
    """Whose settlement was asked for and not answered: either may have come true."""
    came_back: set[str] = field(default_factory=set)
    """Received after their completion was answered."""


@dataclass
class Outcome:
    """What became of it all."""

    kills: int
    lost: int
    doubled: int


def run(kills: int, seconds: float, folder: Path, seed: int) -> Outcome:
    """Kill the emulator so often, or for so long, and compare what it still has with what clients were answered."""
    rng, answered, deadline, done = random.Random(seed), Answered(), time.monotonic() + seconds, 0
    config = folder / "Config.json"
    namespace = {"Name": "sbemulatorns", "Queues": [QUEUE], "Topics": []}
    config.write_text(json.dumps({"UserConfig": {"Namespaces": [namespace]}}), encoding="utf-8")
    while done < kills and time.monotonic() < deadline:
        process, port = _start(folder, config)
        clients = [
            threading.Thread(target=work, args=(port, answered, done, rng.random())) for work in (_send, _settle)
        ]
        for client in clients:
            client.start()
        clients[0].join(rng.random() * 0.4)  # any moment
        process.send_signal(signal.SIGKILL)
        process.wait()
        for client in clients:
            client.join()
        done += 1
    process, port = _start(folder, config)
    with Client(connection_text(port)) as client:
        left = _peek(client, "q")
        dead = _peek(client, "q/$deadletterqueue")
    process.kill()
    process.wait()
    there = left | dead
    lost = answered.sent - there - answered.completed - answered.unsure
    doubled = answered.came_back | (there & answered.completed) | (answered.buried & left)
    return Outcome(done, len(lost), len(doubled))


def connection_text(port: int) -> str:
    """Return the connection string of an emulator with its default key."""
    return (
        f"Endpoint=sb://127.0.0.1:{port};SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey={KEY};"
        "UseDevelopmentEmulator=true;"
    )


def _start(folder: Path, config: Path) -> tuple[subprocess.Popen[str], int]:
    process = subprocess.Popen(
        [sys.executable, "-m", "peeklock.servicebus", "--data-dir", str(folder / "data"), "--port", "0", "--config", str(config)],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    ready = json.loads(process.stdout.readline() or "{}")
    if "amqp_port" not in ready:
        raise AssertionError(f"the emulator did not start again after a kill: {ready}")
    return process, int(ready["amqp_port"])


def _send(port: int, answered: Answered, life: int, _seed: float) -> None:
    with Client(connection_text(port)) as client:
        try:
            for number in range(100_000):
                batch = [OutgoingMessage(b"x" * 300, message_id=f"{life}-{number}-{i}") for i in range(3)]
                client.send("q", batch)
                answered.sent |= {str(message.message_id) for message in batch}
        except (ServiceBusError, OSError):
            pass


def _settle(port: int, answered: Answered, _life: int, seed: float) -> None:
    rng = random.Random(seed)
    with Client(connection_text(port)) as client:
        try:
            while True:
                for message in client.receive("q", max_messages=5, wait=0.5):
                    if message.message_id in answered.completed | answered.buried:
                        answered.came_back.add(message.message_id)
                    how = rng.choice(SETTLEMENTS)
                    if how in ("complete", "dead_letter"):
                        answered.unsure.add(message.message_id)
                    getattr(client, how)(message)
                    if how in ("complete", "dead_letter"):
                        (answered.completed if how == "complete" else answered.buried).add(message.message_id)
                        answered.unsure.discard(message.message_id)
        except (ServiceBusError, OSError):
            pass


def _peek(client: Client, path: str) -> set[str]:
    found: set[str] = set()
    number = 0
    while page := client.peek(path, 500, number):
        found |= {message.message_id for message in page}
        number = page[-1].sequence_number + 1
    return found
