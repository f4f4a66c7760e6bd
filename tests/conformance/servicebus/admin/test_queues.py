"""Namespace and queues through the administration client (S-81 to S-87)."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime, timedelta
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.servicebus.aio.management import ServiceBusAdministrationClient as AsyncAdmin
from azure.servicebus.management import ServiceBusAdministrationClient, SqlRuleFilter

from peeklock.servicebus import Client, Emulator, OutgoingMessage, Queue, ServiceBusError, Topology


def test_the_namespace_tells_of_itself(admin: ServiceBusAdministrationClient) -> None:
    """S-82."""
    found = admin.get_namespace_properties()
    assert (found.name, found.messaging_sku, found.namespace_type) == ("sbemulatorns", "Standard", "Messaging")
    assert isinstance(found.created_at_utc, datetime)


def test_a_queue_has_azures_defaults(admin: ServiceBusAdministrationClient) -> None:
    """S-84, S-85."""
    made = admin.create_queue("q")
    found = admin.get_queue("q")
    assert made.name == found.name == "q"
    assert (found.lock_duration, found.max_delivery_count) == (timedelta(minutes=1), 10)
    assert found.duplicate_detection_history_time_window == timedelta(minutes=10)
    assert found.default_message_time_to_live == found.auto_delete_on_idle
    assert found.default_message_time_to_live is not None
    assert found.default_message_time_to_live.days == 10675199
    assert (found.status, found.availability_status, found.max_size_in_megabytes) == ("Active", "Available", 1024)
    assert [found.requires_session, found.requires_duplicate_detection, found.enable_partitioning] == [False] * 3
    assert found.enable_batched_operations is True
    assert found.forward_to is None
    assert not found.authorization_rules


def test_what_is_set_is_what_is_read_and_what_is_done(shared: Emulator, admin: ServiceBusAdministrationClient) -> None:
    """S-84: every property of a queue, and the broker behaves so."""
    admin.create_queue("target")
    settings: dict[str, Any] = {
        "lock_duration": timedelta(seconds=13),
        "max_delivery_count": 1,
        "default_message_time_to_live": timedelta(days=2, hours=3, minutes=4, seconds=5.5),
        "dead_lettering_on_message_expiration": True,
        "duplicate_detection_history_time_window": timedelta(minutes=12),
        "requires_duplicate_detection": True,
        "max_size_in_megabytes": 2048,
        "auto_delete_on_idle": timedelta(minutes=10),
        "enable_batched_operations": False,
        "user_metadata": "<what & why>",
        "forward_dead_lettered_messages_to": "target",
    }
    admin.create_queue("q", **settings)
    found = admin.get_queue("q")
    for name, value in settings.items():
        if name != "forward_dead_lettered_messages_to":
            assert getattr(found, name) == value, name
    assert found.forward_dead_lettered_messages_to is not None
    assert found.forward_dead_lettered_messages_to.endswith("/target")
    with Client(shared.connection_string()) as client:
        for _ in range(2):
            client.send("q", [OutgoingMessage(body=b"x", message_id="once")])
        (message,) = client.receive("q", 2, 1)
        client.abandon(message)
        (message,) = client.receive("target", 1, 5)
        assert message.application_properties["DeadLetterReason"] == "MaxDeliveryCountExceeded"


def test_a_queue_is_changed_while_it_is_used(shared: Emulator, admin: ServiceBusAdministrationClient) -> None:
    """S-83: an update takes effect at once; messages stay."""
    admin.create_queue("q")
    with Client(shared.connection_string()) as client:
        client.send("q", [OutgoingMessage(body=b"1")])
        queue = admin.get_queue("q")
        queue.max_delivery_count = 2
        queue.status = "SendDisabled"
        admin.update_queue(queue)
        assert admin.get_queue("q").status == "SendDisabled"
        with pytest.raises(ServiceBusError, match="disabled"):
            client.send("q", [OutgoingMessage(body=b"2")])
        for _ in range(2):
            (message,) = client.receive("q", 1, 5)
            client.abandon(message)
        assert admin.get_queue_runtime_properties("q").dead_letter_message_count == 1
        queue = admin.get_queue("q")
        queue.status = "Active"
        admin.update_queue(queue)
        client.send("q", [OutgoingMessage(body=b"3")])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("requires_session", True),
        ("requires_duplicate_detection", True),
        ("enable_partitioning", True),
        ("lock_duration", timedelta(minutes=6)),
        ("auto_delete_on_idle", timedelta(minutes=4)),
        ("duplicate_detection_history_time_window", timedelta(days=8)),
        ("max_delivery_count", 0),
        ("forward_to", "nobody"),
        ("status", "Sleeping"),
        ("max_message_size_in_kilobytes", 2048),
    ],
)
def test_what_cannot_be_changed(admin: ServiceBusAdministrationClient, name: str, value: Any) -> None:
    """S-57, S-83, S-87: 400, and the queue is what it was."""
    before = admin.create_queue("q")
    changed = admin.get_queue("q")
    setattr(changed, name, value)
    with pytest.raises(HttpResponseError) as refused:
        admin.update_queue(changed)
    assert refused.value.status_code == 400
    assert dict(admin.get_queue("q").items()) | {"updated_at_utc": 0} == dict(before.items()) | {"updated_at_utc": 0}


def test_what_is_there_and_what_is_not(admin: ServiceBusAdministrationClient) -> None:
    """S-83."""
    admin.create_queue("q")
    with pytest.raises(ResourceExistsError):
        admin.create_queue("Q")
    with pytest.raises(ResourceExistsError):
        admin.create_topic("q")
    with pytest.raises(ResourceNotFoundError):
        admin.get_queue("nobody")
    with pytest.raises(ResourceNotFoundError):
        admin.delete_queue("nobody")
    with pytest.raises(ResourceNotFoundError):
        admin.delete_queue("q/$deadletterqueue")
    queue = admin.get_queue("q")
    queue.name = "nobody"
    with pytest.raises(HttpResponseError):
        admin.update_queue(queue)
    for name in ("-q", "q~", "x" * 261):
        with pytest.raises(HttpResponseError) as refused:
            admin.create_queue(name)
        assert refused.value.status_code == 400


def test_lists_are_sorted_and_come_in_pages(admin: ServiceBusAdministrationClient) -> None:
    """S-86: 100 a page."""
    names = sorted(f"q{number}" for number in range(105))
    for name in reversed(names):
        admin.create_queue(name)
    pages = [[queue.name for queue in page] for page in admin.list_queues().by_page()]
    assert [len(page) for page in pages] == [100, 5]
    assert [name for page in pages for name in page] == names
    assert [queue.name for queue in admin.list_queues(start_index=100)] == names[100:]
    assert [queue.name for queue in admin.list_queues_runtime_properties(start_index=103)] == names[103:]
    for wrong in ({"start_index": -1}, {"max_page_size": -1}):
        with pytest.raises(HttpResponseError) as refused:
            list(admin.list_queues(**wrong))
        assert refused.value.status_code == 400


def test_names_with_everything_in_them(shared: Emulator, admin: ServiceBusAdministrationClient) -> None:
    """S-82: slashes come encoded and raw."""
    admin.create_queue("txt/.-_123")
    assert admin.get_queue("txt/.-_123").name == "txt/.-_123"
    with Client(shared.connection_string()) as client:
        client.send("txt/.-_123", [OutgoingMessage(body=b"x")])
    admin.create_queue("a/messages")
    assert [queue.name for queue in admin.list_queues()] == ["a/messages", "txt/.-_123"]


def test_counts_are_those_of_the_broker(shared: Emulator, admin: ServiceBusAdministrationClient) -> None:
    """S-84: CountDetails."""
    admin.create_queue("q")
    with Client(shared.connection_string()) as client:
        client.send("q", [OutgoingMessage(body=b"x" * 100) for _ in range(3)])
        client.schedule("q", OutgoingMessage(body=b"later"), datetime.fromisoformat("2099-01-01T00:00:00+00:00"))
        (message,) = client.receive("q", 1, 5)
        client.dead_letter(message, "because")
        client.receive("q", 1, 5)
    found = admin.get_queue_runtime_properties("q")
    assert (found.active_message_count, found.dead_letter_message_count, found.scheduled_message_count) == (2, 1, 1)
    assert (found.total_message_count, found.transfer_message_count) == (4, 0)
    assert found.size_in_bytes is not None
    assert found.size_in_bytes > 200
    assert found.accessed_at_utc is not None


def test_a_deleted_queue_lets_go_of_its_links(shared: Emulator, admin: ServiceBusAdministrationClient) -> None:
    """A receiver that waits learns that there is nothing to wait for."""
    admin.create_queue("q")
    with Client(shared.connection_string()) as client:
        client.send("q", [OutgoingMessage(body=b"x")])
        assert len(client.receive("q", 1, 5)) == 1
        admin.delete_queue("q")
        with pytest.raises(ServiceBusError):
            client.receive("q", 1, 2)
    with pytest.raises(ResourceNotFoundError):
        admin.get_queue("q")


def test_a_premium_namespace_takes_large_messages(shared: Emulator, ca: str) -> None:
    """S-86: MaxMessageSizeInKilobytes from 1024 to 102400."""
    with (
        Emulator(Topology(sku="Premium", queues={"old": Queue()})) as bus,
        ServiceBusAdministrationClient.from_connection_string(bus.connection_string(), connection_verify=ca) as admin,
    ):
        assert admin.get_namespace_properties().messaging_sku == "Premium"
        assert admin.create_queue("q", max_message_size_in_kilobytes=12345).max_message_size_in_kilobytes == 12345
        assert admin.create_queue("r").max_message_size_in_kilobytes == 1024
        for size in (1023, 102401):
            with pytest.raises(HttpResponseError):
                admin.create_queue("s", max_message_size_in_kilobytes=size)
        with Client(bus.connection_string()) as client:
            client.send("q", [OutgoingMessage(body=b"x" * (2 << 20))])


def test_partitioned_entities(shared: Emulator, admin: ServiceBusAdministrationClient) -> None:
    """S-53, S-86: sixteen times the size is shown, and may be sent back; what is shown is done; it cannot be changed."""
    made = admin.create_queue("p", enable_partitioning=True, max_size_in_megabytes=3072)
    assert (made.enable_partitioning, made.max_size_in_megabytes) == (True, 49_152)
    made.max_delivery_count = 4
    admin.update_queue(made)
    assert admin.get_queue("p").max_size_in_megabytes == 49_152
    made.max_size_in_megabytes = 1024
    admin.update_queue(made)
    assert admin.get_queue("p").max_size_in_megabytes == 16_384
    made.enable_partitioning = False
    with pytest.raises(HttpResponseError, match="EnablePartitioning"):
        admin.update_queue(made)
    assert admin.create_topic("pt", enable_partitioning=True).enable_partitioning is True
    admin.create_subscription("pt", "s")
    with Client(shared.connection_string()) as client:
        for number in range(3):
            client.send("p", [OutgoingMessage(b"x", message_id=str(number))])
            client.send("pt", [OutgoingMessage(b"x", annotations={"x-opt-partition-key": "k"})])
        found = client.receive("p", max_messages=3)
        assert [message.sequence_number >> 48 for message in found] == [1, 2, 3]
        assert [message.annotations["x-opt-partition-id"] for message in found] == [1, 2, 3]
        copies = client.receive("pt/Subscriptions/s", max_messages=3)
        assert len({message.annotations["x-opt-partition-id"] for message in copies}) == 1
        assert copies[0].annotations["x-opt-partition-key"] == "k"
        arguments = {"message-count": 1, "enqueued-time-utc": int(time.time() * 1000)}
        with pytest.raises(ServiceBusError, match="cannot be deleted in batches"):
            client._manage("p", "batch-delete-messages", arguments)


async def _do(string: str, ca: str) -> list[str]:
    async with AsyncAdmin.from_connection_string(string, connection_verify=ca, retry_total=0) as admin:
        await admin.create_queue("aio", lock_duration=timedelta(seconds=7))
        await admin.create_topic("aio-t")
        await admin.create_subscription("aio-t", "s")
        await admin.create_rule("aio-t", "s", "r", filter=SqlRuleFilter("a = 1"))
        queue = await admin.get_queue("aio")
        queue.max_delivery_count = 3
        await admin.update_queue(queue)
        assert (await admin.get_queue("aio")).max_delivery_count == 3
        assert (await admin.get_queue_runtime_properties("aio")).total_message_count == 0
        with pytest.raises(ResourceNotFoundError):
            await admin.get_queue("nobody")
        return [rule.name async for rule in admin.list_rules("aio-t", "s")]


def test_the_async_client(shared: Emulator, admin: ServiceBusAdministrationClient, ca: str) -> None:
    """S-81."""
    assert asyncio.run(_do(shared.connection_string(), ca)) == ["$Default", "r"]
