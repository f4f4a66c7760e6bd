"""Takes orders off the queue and ships them."""

import json
import logging
import os

import psycopg
from azure.servicebus import ServiceBusClient

logging.basicConfig(level=logging.WARNING)


def main():
    queue = os.environ["ORDERS_QUEUE"]
    with (
        psycopg.connect(autocommit=True) as db,  # libpq reads PGHOST and its kin
        ServiceBusClient.from_connection_string(os.environ["SERVICE_BUS_CONNECTION"]) as bus,
        bus.get_queue_receiver(queue) as receiver,
    ):
        print("worker up, waiting for", queue, flush=True)
        for message in receiver:
            order = json.loads(str(message))
            db.execute("UPDATE orders SET status = 'shipped' WHERE id = %s", [order["id"]])
            receiver.complete_message(message)


if __name__ == "__main__":
    main()
