"""A user's API: takes a job and puts it on a queue. Standard library and the SDK, nothing else."""

import json
import os
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from azure.servicebus import ServiceBusClient, ServiceBusMessage

client = ServiceBusClient.from_connection_string(os.environ["AZURE_SERVICEBUS_CONNECTION_STRING"])


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self._answer(200, {"ready": True})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        job = {"id": str(uuid.uuid4()), **body}
        with client.get_queue_sender("jobs") as sender:
            sender.send_messages(ServiceBusMessage(json.dumps(job), message_id=job["id"]))
        self._answer(202, job)

    def _answer(self, status, body):
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        print(json.dumps({"event": "request", "level": "info", "token": os.environ.get("API_TOKEN")}), flush=True)


ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
