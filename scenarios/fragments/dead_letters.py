"""Empties dead-letter queues, as an operator who has looked into them."""

from __future__ import annotations

from azure.servicebus import ServiceBusClient, ServiceBusReceiveMode, ServiceBusSubQueue


def discard(connection_string: str, queue: str, count: int) -> dict[str, int]:
    """Take `count` messages out of the dead-letter queue for good."""
    with (
        ServiceBusClient.from_connection_string(connection_string) as client,
        client.get_queue_receiver(
            queue, sub_queue=ServiceBusSubQueue.DEAD_LETTER, receive_mode=ServiceBusReceiveMode.RECEIVE_AND_DELETE
        ) as receiver,
    ):
        seen = 0
        while seen < count:
            seen += len(receiver.receive_messages(max_message_count=count - seen, max_wait_time=5))
    return {"discarded": seen}
