"""azure-servicebus, asyncio, against the emulator."""

from __future__ import annotations

import asyncio
import datetime as dt

import pytest
from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import AutoLockRenewer, ServiceBusClient
from azure.servicebus.exceptions import MessageLockLostError, ServiceBusAuthenticationError, ServiceBusError


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 60))


def test_a_worker_s_day(bus):
    """S-41, S-42, S-47, S-48, S-54, S-55: send, batch, receive, settle in every way, renew, peek, schedule, DLQ."""

    async def scenario():
        async with ServiceBusClient.from_connection_string(bus.connection_string(), retry_total=0) as client:
            async with client.get_queue_sender("aio") as sender, client.get_queue_receiver("aio") as receiver:
                batch = await sender.create_message_batch()
                for number in range(5):
                    batch.add_message(ServiceBusMessage(b"%d" % number, message_id=str(number)))
                await sender.send_messages(batch)
                got = []
                while len(got) < 5:
                    got += await receiver.receive_messages(max_message_count=5 - len(got), max_wait_time=5)
                assert [message.message_id for message in got] == list("01234")
                assert await receiver.renew_message_lock(got[0])
                await receiver.complete_message(got[0])
                await receiver.dead_letter_message(got[1], reason="r", error_description="d")
                await receiver.defer_message(got[2])
                await receiver.complete_message(got[4])
                await receiver.abandon_message(got[3])
                (again,) = await receiver.receive_messages(max_message_count=1, max_wait_time=5)
                assert again.delivery_count == 1
                await receiver.complete_message(again)
                (deferred,) = await receiver.receive_deferred_messages([got[2].sequence_number])
                await receiver.complete_message(deferred)
                at = dt.datetime.fromtimestamp(bus.clock.now(), dt.UTC) + dt.timedelta(hours=1)
                numbers = await sender.schedule_messages([ServiceBusMessage(b"s")], at)
                assert len(await receiver.peek_messages(10, sequence_number=1)) == 1
                await sender.cancel_scheduled_messages(numbers)
                assert await receiver.peek_messages(10, sequence_number=1) == []
            async with client.get_queue_receiver("aio", sub_queue="deadletter") as dead:
                (message,) = await dead.receive_messages(max_message_count=1, max_wait_time=5)
                assert message.dead_letter_reason == "r"
                await dead.complete_message(message)

    run(scenario())
    counts = next(queue for queue in bus.entities() if queue["name"] == "aio")
    assert [counts[k] for k in ("active", "locked", "deferred", "scheduled", "dead_letter")] == [0] * 5


def test_iterating_and_lock_renewing(bus):
    """S-47: the async iterator and AutoLockRenewer work together; a lost lock is told."""

    async def scenario():
        async with ServiceBusClient.from_connection_string(bus.connection_string(), retry_total=0) as client:
            async with client.get_queue_sender("aio") as sender:
                await sender.send_messages([ServiceBusMessage(b"1"), ServiceBusMessage(b"2")])
            async with client.get_queue_receiver("aio", max_wait_time=1) as receiver, AutoLockRenewer() as renewer:
                seen = 0
                async for message in receiver:
                    seen += 1
                    renewer.register(receiver, message, max_lock_renewal_duration=60)
                    if seen == 1:
                        await receiver.complete_message(message)
                    else:
                        await asyncio.to_thread(bus.advance, 61)
                        with pytest.raises((MessageLockLostError, ServiceBusError)):
                            await receiver.renew_message_lock(message)
                        break
                assert seen == 2

    run(scenario())


def test_bad_key(bus):
    """S-22: the async client is told the same."""

    async def scenario():
        text = bus.connection_string().replace("SAS_KEY_VALUE", "wrong")
        async with ServiceBusClient.from_connection_string(text, retry_total=0) as client:
            sender = client.get_queue_sender("aio")
            with pytest.raises(ServiceBusAuthenticationError):
                await sender.send_messages(ServiceBusMessage(b"x"))
            await sender.close()

    run(scenario())
