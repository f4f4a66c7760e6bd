"""What clients have in hand: told until they answer, whatever becomes of the lock; cut off, until they receive again."""

from __future__ import annotations

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage

from peeklock.servicebus import Emulator, Queue, Topology
from peeklock.servicebus.client import Client, OutgoingMessage


@pytest.fixture
def bus():
    with Emulator(Topology(queues={"q": Queue(lock_duration=60)})) as emulator:
        yield emulator


def held(bus, seconds=0.0):
    """Return how many deliveries are in hand, and how many clients were cut off; wait so long for none."""
    listing = bus.run(bus.server.context.tracker.settled(seconds))
    return sum(each["deliveries"] for each in listing), sum(each["cut_for"] is not None for each in listing)


def test_a_delivery_is_in_hand_until_it_is_answered(bus):
    """S-44: also when its lock has been lost, and when the queue was emptied: the client works on it all the same."""
    with Client(bus.connection_string()) as client:
        client.send("q", [OutgoingMessage(body=b"1"), OutgoingMessage(body=b"2")])
        first, second = (client.receive("q", 1)[0] for _ in range(2))
        assert held(bus) == (2, 0)
        client.complete(first)
        bus.faults.expire_lock("q")
        assert held(bus) == (1, 0)
        bus.reset()
        assert held(bus) == (1, 0)
        assert bus.entities()[0]["receivers"][0]["in_hand"] == 1
        with pytest.raises(Exception, match="lock"):
            client.complete(second)
        assert held(bus, 5.0) == (0, 0)


def test_who_asks_for_more_has_let_go_of_what_it_never_answered(bus):
    """As a receiver tells of itself, to wait for; the listing, of who may still be at work, goes on telling it."""
    with Client(bus.connection_string()) as client:
        client.send("q", [OutgoingMessage(body=b"1"), OutgoingMessage(body=b"2")])
        for _ in range(2):
            client.receive("q", 1)
            assert bus.entities()[0]["receivers"][0]["in_hand"] == 1
        assert held(bus) == (2, 0)


def test_who_was_cut_off_at_work_is_told_of_until_it_receives_again(bus):
    with ServiceBusClient.from_connection_string(bus.connection_string(), retry_backoff_factor=0.01) as client:
        with client.get_queue_sender("q") as sender:
            sender.send_messages([ServiceBusMessage("1"), ServiceBusMessage("2")])
        receiver = client.get_queue_receiver("q", client_identifier="lane")
        with receiver:
            receiver.receive_messages(max_wait_time=5)
            bus.faults.detach("q")
            assert held(bus) == (0, 1)
            receiver.receive_messages()
            assert held(bus) == (1, 0)


def test_who_leaves_in_order_has_nothing_in_hand(bus):
    """And neither has anybody who was cut off before a reset, when all were asked."""
    with ServiceBusClient.from_connection_string(bus.connection_string()) as client:
        with client.get_queue_sender("q") as sender:
            sender.send_messages([ServiceBusMessage("1"), ServiceBusMessage("2")])
        with client.get_queue_receiver("q") as receiver:
            receiver.receive_messages(max_wait_time=5)
        assert held(bus) == (0, 0)
        with client.get_queue_receiver("q") as receiver:
            receiver.receive_messages(max_wait_time=5)
            bus.faults.detach("q")
            bus.reset()
            assert held(bus) == (0, 0)
