"""A user's API: an order becomes a row, and then a message that it was placed."""

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
        sender.send_messages(ServiceBusMessage(order, message_id=order))
    return new


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
    HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Api).serve_forever()
