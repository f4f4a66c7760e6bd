"""A user's worker: doubles a number."""

import json
import os

from azure.servicebus import ServiceBusClient, ServiceBusMessage

with (
    ServiceBusClient.from_connection_string(os.environ["AZURE_SERVICEBUS_CONNECTION_STRING"]) as client,
    client.get_queue_receiver("jobs") as receiver,
    client.get_queue_sender("results") as sender,
):
    print(json.dumps({"event": "worker started", "level": "info"}), flush=True)
    for message in receiver:
        job = json.loads(str(message))
        print(
            json.dumps(
                {"event": "got a job", "level": "info", "connection": os.environ["AZURE_SERVICEBUS_CONNECTION_STRING"]}
            ),
            flush=True,
        )
        sender.send_messages(
            ServiceBusMessage(json.dumps({"id": job["id"], "doubled": job["number"] * 2}), message_id=job["id"])
        )
        receiver.complete_message(message)
