"""Sends its own text to a namespace that it knows by its production name only: over AMQP, WebSocket and HTTPS, sync and async."""

import asyncio
import json
import os
import re
import sys

from azure.servicebus import ServiceBusClient, ServiceBusMessage, TransportType
from azure.servicebus.aio import ServiceBusClient as AsyncClient
from azure.servicebus.management import ServiceBusAdministrationClient

given = os.environ["AZURE_SERVICEBUS_CONNECTION_STRING"]
connection = re.sub(r"Endpoint=[^;]+", f"Endpoint=sb://{sys.argv[1]}.servicebus.windows.net", given)
connection = connection.replace("UseDevelopmentEmulator=true", "")
ways = [
    way for way in TransportType if not {"Amqp", "AmqpOverWebsocket"}.intersection(sys.argv) or way.name in sys.argv
]


async def send(way):
    bus = AsyncClient.from_connection_string(connection, transport_type=way)
    async with bus, bus.get_queue_sender("jobs") as sender:
        await sender.send_messages(ServiceBusMessage(f"{sys.argv[2]} async {way.name}"))


for way in ways:
    bus = ServiceBusClient.from_connection_string(connection, transport_type=way)
    with bus, bus.get_queue_sender("jobs") as sender:
        sender.send_messages(ServiceBusMessage(f"{sys.argv[2]} sync {way.name}"))
    asyncio.run(send(way))
if "administration" in sys.argv:
    with ServiceBusAdministrationClient.from_connection_string(connection) as admin:
        assert admin.get_queue_runtime_properties("jobs").total_message_count == 4
print(json.dumps({"event": "sent", "warnoptions": sys.warnoptions}), flush=True)
