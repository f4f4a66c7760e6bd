"""A service that exports spans as fast as they are taken: `POST /10000` answers when the last one is, and keeps how long it took."""

from __future__ import annotations

import http.client
import os
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

BATCH = 500
"""Spans of one request; the SDK sends 512."""


def batch(count: int) -> bytes:
    """Return a request of as many spans, each like one of an instrumented HTTP client."""
    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add().scope_spans.add().spans
    now = time.time_ns()
    for _ in range(count):
        span = spans.add()
        span.name, span.kind, span.trace_id, span.span_id = "GET", 3, os.urandom(16), os.urandom(8)
        span.start_time_unix_nano, span.end_time_unix_nano = now, now + 1_000_000
        for key in ("http.request.method", "url.full", "server.address", "http.response.status_code"):
            attribute = span.attributes.add()
            attribute.key, attribute.value.string_value = key, "http://127.0.0.1/v1/things"
    return bytes(request.SerializeToString())


def export(count: int) -> float:
    """Export `count` spans one batch after the other; return the seconds from the first to the last answer."""
    url = urlsplit(os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"])
    batches = [batch(min(BATCH, count - at)) for at in range(0, count, BATCH)]
    connection = http.client.HTTPConnection(url.netloc)
    began = time.monotonic()
    for body in batches:
        connection.request("POST", f"{url.path}/v1/traces", body, {"content-type": "application/x-protobuf"})
        answer = connection.getresponse()
        if answer.read() or answer.status != 200:
            raise RuntimeError(f"the receiver answered {answer.status}")
    return time.monotonic() - began


class Flood(BaseHTTPRequestHandler):
    """`GET /` tells that it is there."""

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        Path(os.environ["FLOOD_TOOK"]).write_text(str(export(int(self.path.strip("/")))), encoding="utf-8")
        self._answer()

    def _answer(self) -> None:
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Flood).serve_forever()
