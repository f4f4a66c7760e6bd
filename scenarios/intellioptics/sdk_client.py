"""A client that knows nothing of Peeklock: the plain azure-servicebus SDK."""

from __future__ import annotations

import json
from typing import Any

from azure.servicebus import ServiceBusClient, ServiceBusMessage


def send(connection_string: str, queue: str, message_id: str, body: dict[str, Any]) -> dict[str, Any]:
    """Send one message as any client of the queue would."""
    message = ServiceBusMessage(json.dumps(body), message_id=message_id, content_type="application/json")
    with ServiceBusClient.from_connection_string(connection_string) as client, client.get_queue_sender(queue) as sender:
        sender.send_messages(message)
    return {"sent": 1}
