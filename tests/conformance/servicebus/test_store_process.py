"""`--data-dir`: a kill -9 at any moment loses nothing that a client was answered, and settings survive."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager

import pytest
from azure.servicebus.management import ServiceBusAdministrationClient

from peeklock.servicebus import Client, Emulator, OutgoingMessage, Queue, ServiceBusError, Topology
from peeklock.servicebus.auth import AccessRule
from peeklock.servicebus.emulator import connection_string
from peeklock.servicebus.gateway.certificates import authority

from .control import call, text

TOKEN = "a-control-token"
ROUNDS = 4


@contextmanager
def process(folder, *arguments, **options):
    """Run the emulator; it is killed at the end."""
    child = subprocess.Popen(
        [sys.executable, "-m", "peeklock.servicebus", "--data-dir", str(folder), "--port", "0", *arguments],
        env={**os.environ, "PEEKLOCK_CONTROL_TOKEN": TOKEN},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )
    try:
        yield child, json.loads(child.stdout.readline() or "{}")
    finally:
        child.kill()
        child.communicate()


class Clients:
    """A sender and a receiver that note what they were answered, until the emulator is killed under them."""

    def __init__(self, port, life):
        self.sent, self.completed, self.received = [], [], []
        self.busy = threading.Event()
        self._port, self._life = port, life
        self.threads = [threading.Thread(target=work) for work in (self._send, self._receive)]
        for thread in self.threads:
            thread.start()

    def _send(self):
        with Client(text(self._port)) as client:
            try:
                for number in range(100_000):
                    batch = [OutgoingMessage(b"x" * 300, message_id=f"{self._life}-{number}-{i}") for i in range(3)]
                    client.send("q", batch)
                    self.sent += [message.message_id for message in batch]
            except (ServiceBusError, OSError):
                pass

    def _receive(self):
        with Client(text(self._port)) as client:
            try:
                while True:
                    for message in client.receive("q", max_messages=5, wait=1.0):
                        self.received.append(message.message_id)
                        client.complete(message)
                        self.completed.append(message.message_id)
                    if len(self.completed) > 20:
                        self.busy.set()
            except (ServiceBusError, OSError):
                self.busy.set()


@pytest.mark.slow
def test_kill_nine_loses_no_message_and_no_settlement(tmp_path):
    """Every message whose sending was answered is there or was completed; what was answered as completed never comes back."""
    config = tmp_path / "Config.json"
    queue = {"Name": "q", "Properties": {"LockDuration": "PT1M"}}
    config.write_text(
        json.dumps({"UserConfig": {"Namespaces": [{"Name": "sbemulatorns", "Queues": [queue], "Topics": []}]}})
    )
    sent, completed, received, port = set(), set(), set(), 0
    for life in range(ROUNDS):
        with process(tmp_path / "data", "--config", str(config)) as (child, ready):
            assert port in (0, ready["amqp_port"]), "clients know the port of the last life"
            port = ready["amqp_port"]
            clients = Clients(port, life)
            assert clients.busy.wait(30)
            threading.Event().wait(random.random() * 0.2)  # any moment
            child.send_signal(signal.SIGKILL)
            child.wait()
            for thread in clients.threads:
                thread.join(30)
        sent |= set(clients.sent)
        assert not completed & set(clients.received), "a completed message came back"
        completed |= set(clients.completed)
        received |= set(clients.received)
    assert len(completed) > 20 * ROUNDS - 1
    with process(tmp_path / "data") as (_, ready), Client(text(ready["amqp_port"])) as client:
        left, start = set(), 0
        while page := client.peek("q", 500, start):
            left |= {message.message_id for message in page}
            start = page[-1].sequence_number + 1
        assert not left & completed
        # what was received and whose completion was not answered may have been completed all the same
        assert sent - left - completed <= received


def test_namespaces_entities_and_keys_survive(tmp_path):
    """What the control API and the administration API made is there again after kill -9, on the same ports."""
    with process(tmp_path, "--no-default-namespace") as (child, ready):
        rules = [
            {"name": "app", "key": "app-key", "rights": ["Send", "Listen"], "entity": "jobs"},
            {"name": "root", "key": "k"},
        ]
        body = {"queues": {"jobs": {"lock_duration": 12.0}}, "access_rules": rules}
        _, made = call(ready["control_port"], "PUT", "/namespaces/mine", body)
        root = connection_string("localhost", made["port"], AccessRule("root", "k"))
        with ServiceBusAdministrationClient.from_connection_string(root, connection_verify=str(authority())) as admin:
            admin.create_queue("orders", lock_duration="PT17S", user_metadata="mine")
            admin.create_topic("news")
            admin.create_subscription("news", "all")
        with Client(text(made["port"], "app", "app-key")) as client:
            client.send("jobs", [OutgoingMessage(b"x", message_id="kept")])
        child.send_signal(signal.SIGKILL)
        child.wait()
    with process(tmp_path, "--no-default-namespace") as (_, ready):
        with ServiceBusAdministrationClient.from_connection_string(root, connection_verify=str(authority())) as admin:
            queue = admin.get_queue("orders")
            assert (queue.lock_duration.total_seconds(), queue.user_metadata) == (17, "mine")
            assert [s.name for s in admin.list_subscriptions("news")] == ["all"]
        with Client(text(made["port"], "app", "app-key")) as client:
            assert [message.message_id for message in client.peek("jobs")] == ["kept"]
            with pytest.raises(ServiceBusError, match="no rights"):
                client.peek("orders")
        assert call(ready["control_port"], "DELETE", "/namespaces/mine")[0] == 204
        assert list(tmp_path.glob("*.sqlite3*")) == []


def fill(address):
    """Send until nothing is answered any more; return how many sends were."""
    with Client(address) as client:
        for number in range(1_000):
            try:
                client.send("q", [OutgoingMessage(b"x" * 10_000, message_id=str(number))])
            except (ServiceBusError, OSError):
                return number
    return 1_000


def test_a_full_disk_ends_it_without_a_false_answer(tmp_path):
    """A send that cannot be kept is not answered; the process ends with 2 and says which file, and why."""

    def little_room():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

    with process(tmp_path, "--no-default-namespace", preexec_fn=little_room) as (child, ready):
        body = {"queues": {"q": {}}, "access_rules": [{"name": "app", "key": "k"}]}
        _, made = call(ready["control_port"], "PUT", "/namespaces/mine", body)
        answered = fill(text(made["port"], "app", "k"))
        assert answered < 1_000
        _, logs = child.communicate(timeout=20)
        assert child.returncode == 2
        assert "could not be written" in logs
        assert "make room on its disk" in logs
    with process(tmp_path, "--no-default-namespace"), Client(text(made["port"], "app", "k")) as client:
        kept = {message.message_id for message in client.peek("q", 1_000)}
        assert {str(number) for number in range(answered)} <= kept


def test_a_folder_in_use(tmp_path):
    """The second process ends with 2, and the first goes on."""
    with process(tmp_path) as (child, _):
        command = [sys.executable, "-m", "peeklock.servicebus", "--port", "0", "--data-dir", str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=20)
        assert done.returncode == 2
        assert "in use by another emulator" in done.stderr
        assert child.poll() is None


def test_in_process(tmp_path):
    """`Emulator(data_folder=…)`: one of the same name goes on where the other ended."""
    topology = Topology(queues={"q": Queue()})
    with Emulator(topology, data_folder=tmp_path) as bus, Client(bus.connection_string()) as client:
        client.send("q", [OutgoingMessage(b"x", message_id="m")])
        port = bus.port
    with Emulator(topology, data_folder=tmp_path) as bus, Client(bus.connection_string()) as client:
        (message,) = client.receive("q")
        assert (message.message_id, bus.port) == ("m", port)
        client.complete(message)
        events = [entry.event for entry in bus.ledger.entries()]
        assert events == ["enqueued", "delivered", "completed"]
