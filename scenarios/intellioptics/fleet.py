"""What other replicas of the worker count and measure, as they would: it is told over HTTP how much."""

from __future__ import annotations

import json
import os
from http.server import BaseHTTPRequestHandler, HTTPServer

from opentelemetry import metrics
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

metrics.set_meter_provider(MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())]))
meter = metrics.get_meter("fleet")
outcomes = meter.create_counter("worker.outcomes", "{message}")
durations = meter.create_histogram("model.duration", "s")


class Fleet(BaseHTTPRequestHandler):
    """`GET /` tells that it is there; `POST /` takes `{"completed": messages}` or `{"model": seconds}`."""

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        told = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if "completed" in told:
            outcomes.add(told["completed"], {"messaging.destination.name": "image-queries", "outcome": "completed"})
        if "model" in told:
            durations.record(told["model"], {"model": "centerface.onnx"})
        self._answer()

    def _answer(self) -> None:
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Fleet).serve_forever()
