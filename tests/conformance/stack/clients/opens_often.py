"""Opens a connection every 300 ms, sends a message over it, and tells whether that went well."""

import itertools
import json
import os
import threading

from azure.servicebus import ServiceBusClient, ServiceBusMessage


def once(number):
    failure = None
    try:
        bus = ServiceBusClient.from_connection_string(os.environ["AZURE_SERVICEBUS_CONNECTION_STRING"])
        with bus, bus.get_queue_sender("jobs") as sender:
            sender.send_messages(ServiceBusMessage(str(number)))
    except Exception as error:  # noqa: BLE001  whatever it is, it is told
        failure = f"{type(error).__name__}: {error}"
    print(json.dumps({"event": "opened", "failure": failure}), flush=True)


print("it begins", flush=True)
for number in itertools.count():
    threading.Thread(target=once, args=(number,), daemon=True).start()
    threading.Event().wait(0.3)
