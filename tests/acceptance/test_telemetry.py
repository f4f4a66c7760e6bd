"""Services that export telemetry with the clients of production, and scenarios that look at it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.conftest import Run

API = '''\
"""Takes orders, and hands each to the worker."""
import os, sys

SETUP

import httpx, psycopg, uvicorn
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from fastapi import FastAPI
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor

HTTPXClientInstrumentor().instrument()
PsycopgInstrumentor().instrument()

app = FastAPI()
client = ServiceBusClient.from_connection_string(os.environ["AZURE_SERVICEBUS_CONNECTION_STRING"])
sender = client.get_queue_sender("orders")


@app.get("/health")
def health():
    return {}


@app.post("/orders/{number}")
def order(number: str):
    with psycopg.connect(os.environ["DATABASE_URL"]) as database:
        database.execute("SELECT 1")
    httpx.get(f"http://127.0.0.1:{os.environ['PORT']}/health")
    sender.send_messages(ServiceBusMessage(number, message_id=number))
    return {}


FastAPIInstrumentor.instrument_app(app, excluded_urls="health")
uvicorn.run(app, host="127.0.0.1", port=int(os.environ["PORT"]), log_level="warning")
'''
WORKER = '''\
"""Settles orders, in a span of its own that is in the order's trace."""
import os

SETUP

from azure.servicebus import ServiceBusClient, ServiceBusMessage
from opentelemetry import metrics, propagate, trace

tracer, meter = trace.get_tracer("worker"), metrics.get_meter("worker")
settled = meter.create_counter("orders.settled", unit="{order}")
took = meter.create_histogram("orders.seconds", unit="s")
client = ServiceBusClient.from_connection_string(os.environ["AZURE_SERVICEBUS_CONNECTION_STRING"])
results = client.get_queue_sender("results")
print("ready", flush=True)
with client.get_queue_receiver("orders") as receiver:
    for message in receiver:
        carrier = {key.decode(): value.decode() for key, value in (message.application_properties or {}).items()}
        with tracer.start_as_current_span("settle", propagate.extract(carrier), kind=trace.SpanKind.CONSUMER) as span:
            number = str(message)
            span.set_attribute("order", number)
            try:
                if number == "poison":
                    raise ValueError("no such order")
                results.send_messages(ServiceBusMessage(number, message_id=number))
                receiver.complete_message(message)
                settled.add(1, {"kind": "plain"})
                took.record(0.5)
            except ValueError as error:
                span.record_exception(error)
                span.set_status(trace.StatusCode.ERROR, str(error))
                receiver.dead_letter_message(message, reason="poison")
'''
OTLP = """\
from azure.core.settings import settings
from azure.core.tracing.ext.opentelemetry_span import OpenTelemetrySpan
from opentelemetry import metrics, trace
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

settings.tracing_implementation = OpenTelemetrySpan
trace.set_tracer_provider(TracerProvider())
trace.get_tracer_provider().add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
metrics.set_meter_provider(MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())]))
"""
AZURE_MONITOR = """\
from azure.monitor.opentelemetry import configure_azure_monitor

configure_azure_monitor(logger_name="orders", enable_live_metrics=False)
"""
SCENARIO = """\
scenario: Orders
stack:
  postgres: {}
  servicebus: {queues: {orders: , results: }}
  telemetry: TELEMETRY
always: [trace_unbroken]
services:
  api: {run: [python, api.py], ready: {http: /health, within: 40s}}
  worker: {run: [python, worker.py], ready: {log: ready, within: 40s}}
cases:
  an_order_is_settled:
    steps:
      - http: {post: /orders/17}
        expect: {status: 200}
      - spans: {service: worker, name: settle}
        eventually: {within: 15s}
        expect:
          items: [{kind: consumer, attributes: {order: "17"}, messages: ["17"]}]
        capture: {trace: "[0].trace_id"}
      - spans: {service: api, name: "POST /orders/{number}", where: {kind: server, trace_id: "${trace}"}}
        eventually: {within: 15s}
        expect: {count: 1}
      - spans: {service: api, where: {kind: client, trace_id: "${trace}", name: {$one_of: [SELECT, GET, GET /health]}}}
        eventually: {within: 15s}
        expect: {count: 2}
      - messages: {queue: orders, where: {trace_id: "${trace}"}}
        eventually: {within: 15s}
        expect: {items: [{message_id: "17", outcome: completed}]}
      - messages: {queue: results, where: {trace_id: "${trace}"}}
        eventually: {within: 15s}
        expect: {count: 1}
      - metrics: {of: worker, name: orders.settled, where: {kind: plain}}
        eventually: {within: 15s}
        expect: {increase: 1}
      - metrics: {of: worker, name: orders.seconds}
        eventually: {within: 15s}
        expect: {count: 1, increase: 0.5}
  what_fails_is_told:
    steps:
      - http: {post: /orders/poison}
      - spans: {service: worker, where: {status: error}}
        eventually: {within: 15s}
        expect: {items: [{name: settle, attributes: {order: poison}}]}
      - spans: {service: worker, where: {attributes: {order: "17"}}}
        expect: {count: 0}
  one_is_counted_anew:
    steps:
      - http: {post: /orders/18}
      - metrics: {of: worker, name: orders.settled}
        eventually: {within: 15s, stable_for: 500ms}
        expect: {increase: 1}
"""


def write(project: Path, setup: str, telemetry: str) -> Path:
    (project / "api.py").write_text(API.replace("SETUP", setup), encoding="utf-8")
    (project / "worker.py").write_text(WORKER.replace("SETUP", setup), encoding="utf-8")
    file = project / "orders.yaml"
    file.write_text(SCENARIO.replace("TELEMETRY", telemetry), encoding="utf-8")
    return file


@pytest.mark.slow
@pytest.mark.parametrize(
    ("setup", "telemetry"),
    [(OTLP, "{protocols: [otlp]}"), (AZURE_MONITOR, "{protocols: [application_insights]}")],
    ids=["otlp", "azure-monitor"],
)
def test_spans_and_metrics_of_the_real_clients_are_seen(
    tmp_path: Path, peeklock: Run, setup: str, telemetry: str
) -> None:
    """Spans belong to their service, their case, their trace and its messages; counters count from the case's beginning."""
    done = peeklock("run", str(write(tmp_path, setup, telemetry)), cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_a_worker_that_drops_the_trace_is_caught(tmp_path: Path, peeklock: Run) -> None:
    """Its spans and what it sends are in a trace of their own."""
    file = write(tmp_path, OTLP, "{protocols: [otlp]}")
    worker = tmp_path / "worker.py"
    worker.write_text(worker.read_text("utf-8").replace("propagate.extract(carrier)", "propagate.extract({})"), "utf-8")
    done = peeklock("run", f"{file}::one_is_counted_anew", cwd=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "trace_unbroken: results: 18 from worker begins a trace of its own" in done.stdout


PAGE = """\
import http.server, os
taken = 0
class Service(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer(f'# TYPE orders counter\\norders_total{{kind="plain"}} {taken}\\norders_total{{kind="odd"}} 7\\n')
    def do_POST(self):
        global taken
        taken += 1
        self.answer("")
    def answer(self, text):
        self.send_response(200)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Service).serve_forever()
"""
PAGED = """\
scenario: Orders
services:
  api: {run: [python, api.py], ready: {http: /metrics}}
cases:
  an_order_is_counted:
    steps:
      - http: {post: /orders}
      - metrics: {of: api, path: /metrics, name: orders_total, where: {kind: plain}}
        eventually: 5s
        expect: {value: 1}
      - metrics: {of: api, path: /metrics, name: orders_total}
        expect: {value: 8, series: {$len: 2}}
  another_name:
    steps:
      - metrics: {of: api, path: /metrics, name: order_total}
        expect: {value: 1}
"""


def test_a_page_of_metrics_is_read(tmp_path: Path, peeklock: Run) -> None:
    """Without any telemetry; a name that is not there is told with those that are."""
    (tmp_path / "api.py").write_text(PAGE, encoding="utf-8")
    (tmp_path / "orders.yaml").write_text(PAGED, encoding="utf-8")
    done = peeklock("run", "orders.yaml", cwd=tmp_path)
    assert "PASSED  orders.yaml::an_order_is_counted" in done.stdout, done.stdout + done.stderr
    assert "metrics came of other names: orders_total" in done.stdout


OF_THE_BUS = """\
scenario: Orders
stack: {servicebus: {queues: {orders: , other: }}}
cases:
  two_wait:
    steps:
      - send: {queue: orders, text: a, times: 2}
      - metrics: {of: servicebus, name: peeklock_servicebus_messages, where: {entity: orders, state: active}}
        expect: {value: 2, series: {$len: 1}}
      - metrics: {of: servicebus, name: peeklock_servicebus_operations_total, where: {entity: orders, operation: enqueued}}
        expect: {value: {$gte: 2}}
"""


def test_the_emulators_own_metrics_are_read(tmp_path: Path, peeklock: Run) -> None:
    (tmp_path / "orders.yaml").write_text(OF_THE_BUS, encoding="utf-8")
    done = peeklock("run", "orders.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
