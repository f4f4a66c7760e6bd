"""One emulator in this process, and SDK clients that are opened once: opening costs the SDK half a second each."""

from __future__ import annotations

import os
import sys

import pytest

if path := os.environ.get("PEEKLOCK_SERVICEBUS_SDK_PATH"):
    # another version of the SDK (see sdk_matrix.py); `azure` is a namespace package, so its other parts are found too
    sys.path.insert(0, path)

from azure.servicebus import ServiceBusClient, ServiceBusReceiveMode, _version

from peeklock.servicebus import AccessRule, Emulator, Queue, Topology

WANTED = os.environ.get("PEEKLOCK_SERVICEBUS_SDK", "")

QUEUES = {
    "plain": Queue(max_delivery_count=3, lock_duration=30),
    "other": Queue(),
    "cut": Queue(),
    "buffered": Queue(),
    "aio": Queue(max_delivery_count=3),
    "dups": Queue(duplicate_detection_window=600),
    "guarded": Queue(),
}
RULES = (
    AccessRule(),
    AccessRule("sender", "send-key", ("Send",)),
    AccessRule("listener", "listen-key", ("Listen",)),
    AccessRule("guard", "guard-key", ("Manage", "Send", "Listen"), "guarded"),
)


def pytest_report_header():
    """Tell which SDK is under test; the matrix insists on the one that it asked for."""
    if WANTED and WANTED != _version.VERSION:
        pytest.exit(f"asked for azure-servicebus {WANTED}, found {_version.VERSION}", 3)
    return f"azure-servicebus {_version.VERSION}"


@pytest.fixture(scope="session")
def shared():
    with Emulator(Topology(queues=QUEUES, access_rules=RULES)) as emulator:
        yield emulator


@pytest.fixture
def bus(shared):
    """The emulator, empty; entries of the ledger above `bus.start` belong to this test."""
    shared.start = shared.reset()
    return shared


@pytest.fixture(scope="session")
def client(shared):
    with ServiceBusClient.from_connection_string(shared.connection_string(), retry_total=0) as client:
        yield client


@pytest.fixture(scope="session")
def sender(client):
    with client.get_queue_sender("plain") as sender:
        yield sender


@pytest.fixture(scope="session")
def receiver(client):
    with client.get_queue_receiver("plain", max_wait_time=5) as receiver:
        yield receiver


@pytest.fixture(scope="session")
def deleter(client):
    """A receive-and-delete receiver on another queue: on the same one it would compete."""
    mode = ServiceBusReceiveMode.RECEIVE_AND_DELETE
    with client.get_queue_receiver("other", receive_mode=mode, max_wait_time=5) as receiver:
        yield receiver


@pytest.fixture(scope="session")
def dead_receiver(client):
    with client.get_queue_receiver("plain", sub_queue="deadletter", max_wait_time=5) as receiver:
        yield receiver
