"""A user's worker: an invoice for each order, and a message that it is there."""

import json
import os

import psycopg
from azure.servicebus import ServiceBusClient, ServiceBusMessage

INSERT = "INSERT INTO invoices (order_id, amount) VALUES (%s, %s)"

with (
    ServiceBusClient.from_connection_string(os.environ["AZURE_SERVICEBUS_CONNECTION_STRING"]) as client,
    client.get_queue_receiver("orders") as receiver,
    client.get_queue_sender("invoiced") as sender,
):
    print(json.dumps({"event": "worker started"}), flush=True)
    for message in receiver:
        order = json.loads(str(message))
        with psycopg.connect(os.environ["DATABASE_URL"]) as database:
            database.execute(INSERT, (order["id"], order["amount"]))
        sender.send_messages(ServiceBusMessage(json.dumps({"order": order["id"]}), message_id=order["id"]))
        receiver.complete_message(message)
