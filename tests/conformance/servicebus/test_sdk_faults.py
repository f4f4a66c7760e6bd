"""Faults as azure-servicebus shows them to a service."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage, ServiceBusReceiver, ServiceBusSender
from azure.servicebus.exceptions import MessageLockLostError, ServiceBusServerBusyError

from peeklock.servicebus import Emulator, Queue, Topology


@pytest.fixture(scope="module")
def shared() -> Iterator[Emulator]:
    with Emulator(Topology(queues={"q": Queue(lock_duration=30)})) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def client(shared: Emulator) -> Iterator[ServiceBusClient]:
    with ServiceBusClient.from_connection_string(
        shared.connection_string(), retry_total=1, retry_backoff_factor=0.05
    ) as c:
        yield c


@pytest.fixture(scope="module")
def sender(client: ServiceBusClient) -> Iterator[ServiceBusSender]:
    with client.get_queue_sender("q") as sender:
        yield sender


@pytest.fixture(scope="module")
def receiver(client: ServiceBusClient) -> Iterator[ServiceBusReceiver]:
    with client.get_queue_receiver("q", max_wait_time=5) as receiver:
        yield receiver


@pytest.fixture
def bus(shared: Emulator) -> Emulator:
    shared.reset()
    return shared


def test_a_completed_message_comes_once_more(
    bus: Emulator, sender: ServiceBusSender, receiver: ServiceBusReceiver
) -> None:
    """deliver_twice: the SDK hears success (S-41), and the handler runs again with a delivery count of one (S-34)."""
    bus.faults.deliver_twice("q")
    sender.send_messages(ServiceBusMessage("x", message_id="m"))
    (first,) = receiver.receive_messages()
    receiver.complete_message(first)
    (second,) = receiver.receive_messages()
    receiver.complete_message(second)
    assert (second.message_id, second.sequence_number) == (first.message_id, first.sequence_number)
    assert (first.delivery_count, second.delivery_count) == (0, 1)


def test_a_dropped_settlement_and_an_ended_lock(
    bus: Emulator, sender: ServiceBusSender, receiver: ServiceBusReceiver
) -> None:
    """drop_settlement is no error for the SDK; expire_lock is its MessageLockLostError (S-44)."""
    bus.faults.drop_settlement("q")
    sender.send_messages(ServiceBusMessage("x"))
    (message,) = receiver.receive_messages()
    receiver.complete_message(message)
    bus.faults.expire_lock("q")
    (again,) = receiver.receive_messages()
    assert again.delivery_count == 1
    bus.faults.expire_lock("q")
    with pytest.raises(MessageLockLostError):
        receiver.complete_message(again)


def test_a_busy_server_has_its_own_error(bus: Emulator, sender: ServiceBusSender) -> None:
    """S-76: server-busy is retried, and named when it stays."""
    bus.faults.server_busy("q", times=2, operations="send")
    with pytest.raises(ServiceBusServerBusyError, match="being throttled"):
        sender.send_messages(ServiceBusMessage("x"))
    sender.send_messages(ServiceBusMessage("x"))
    assert bus.entities()[0]["active"] == 1


@pytest.mark.parametrize("fault", ["detach", "close_connection"])
def test_the_sdk_comes_back(bus: Emulator, sender: ServiceBusSender, receiver: ServiceBusReceiver, fault: str) -> None:
    """S-76: links and connections that the service closes are made anew."""
    sender.send_messages(ServiceBusMessage("before"))
    bus.faults.begin(fault, "q")
    assert bus.faults.listing()[0]["struck"] >= 2
    sender.send_messages(ServiceBusMessage("after"))
    bodies: list[str] = []
    while len(bodies) < 2:
        for message in receiver.receive_messages():
            bodies.append(str(message))
            receiver.complete_message(message)
    assert bodies == ["before", "after"]
