"""The same API with an outbox: the message is part of the transaction, and sent until it was."""

import os
from http.server import BaseHTTPRequestHandler, HTTPServer

import psycopg
from azure.servicebus import ServiceBusClient, ServiceBusMessage

INSERT = "INSERT INTO orders (id) VALUES (%s) ON CONFLICT (id) DO NOTHING"


def place(order):
    """Return whether it is new."""
    with psycopg.connect(os.environ["DATABASE_URL"]) as database:
        new = database.execute(INSERT, (order,)).rowcount
        if new:
            database.execute("INSERT INTO outbox (id) VALUES (%s)", (order,))
    tell()
    return new


def tell():
    with psycopg.connect(os.environ["DATABASE_URL"]) as database:
        for (order,) in database.execute("SELECT id FROM outbox FOR UPDATE").fetchall():
            sender.send_messages(ServiceBusMessage(order, message_id=order))
            database.execute("DELETE FROM outbox WHERE id = %s", (order,))


class Api(BaseHTTPRequestHandler):
    def do_PUT(self):
        new = place(self.path.rpartition("/")[2])
        self.send_response(201 if new else 200)
        self.end_headers()

    def do_GET(self):
        self.send_response(200)
        self.end_headers()


with (
    ServiceBusClient.from_connection_string(os.environ["AZURE_SERVICEBUS_CONNECTION_STRING"]) as client,
    client.get_queue_sender("placed") as sender,
):
    tell()
    HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Api).serve_forever()
