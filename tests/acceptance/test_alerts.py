"""Alerts as a user has them: a rules file, a clock that is moved, and an ARM template that was deployed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.acceptance.conftest import Run

RULES = """\
dead_letters:
  metric: DeadletteredMessages
  dimensions: {EntityName: "*"}
  aggregation: Maximum
  threshold: 0
errors:
  query: |
    ContainerAppConsoleLogs
    | extend line = parse_json(Log)
    | where line.event == "failed"
    | summarize Failed = count() by App = ContainerAppName
  column: Failed
  dimensions: {App: teller}
  threshold: 1
  window: 15m
  frequency: 5m
"""
TEMPLATE = {
    "resources": [
        {
            "type": "Microsoft.Insights/metricAlerts",
            "name": "backlog",
            "properties": {
                "evaluationFrequency": "PT5M",
                "windowSize": "PT15M",
                "criteria": {
                    "allOf": [
                        {
                            "metricName": "ActiveMessages",
                            "timeAggregation": "Average",
                            "operator": "GreaterThan",
                            "threshold": 1.5,
                        }
                    ]
                },
            },
        }
    ]
}
TELLER = """\
import http.server, json, os

class Teller(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/fail":
            print(json.dumps({"event": "failed"}), flush=True)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass

http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Teller).serve_forever()
"""
SCENARIO = """\
scenario: alerts
stack: {servicebus: {queues: {jobs: {max_delivery_count: 1}}}}
services:
  teller: {run: [python, teller.py], ready: {http: /}}
alerts: [rules.yaml, main.json]
cases:
  fires_and_clears:
    clock: movable
    isolation: fresh
    steps:
      - http: {get: /fail}
      - http: {get: /fail}
      - logs: {service: teller, where: {event: failed}}
        eventually: 10s
        expect: {count: 2}
      - send: {queue: jobs, text: a}
      - send: {queue: jobs, text: b}
      - alert: dead_letters
        expect: {state: None}
      - clock: {advance: 6m}
      - name: two wait
        alert: backlog
        expect: {state: Fired, why: "Average of ActiveMessages over 15m was 2 (greater than 1.5 fires)"}
      - name: two lines
        alert: errors
        expect: {state: Fired, dimensions: {App: teller}}
      - run: {python: "spoil:dead_letter", with: {connection_string: "${servicebus.connection_string}"}}
      - clock: {advance: 2m}
      - name: one dead letter
        alert: dead_letters
        expect: {state: Fired, dimensions: {EntityName: jobs}, alerts: {$len: 1}}
      - run: {python: "spoil:clear", with: {connection_string: "${servicebus.connection_string}"}}
      - clock: {advance: 1h}
      - name: it is gone
        alert: dead_letters
        expect: {state: Resolved, fired_at: $timestamp, resolved_at: $timestamp}
      - alert: errors
        expect: {state: Resolved}
"""
SPOIL = """\
from peeklock.servicebus import Client

def dead_letter(connection_string):
    with Client(connection_string) as client:
        (message,) = client.receive("jobs", 1)
        client.dead_letter(message, reason="bad")

def clear(connection_string):
    with Client(connection_string) as client:
        (message,) = client.receive("jobs/$deadletterqueue", 1)
        client.complete(message)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, text in {
        "alerts.yaml": SCENARIO,
        "rules.yaml": RULES,
        "main.json": json.dumps(TEMPLATE),
        "teller.py": TELLER,
        "spoil.py": SPOIL,
        "pyproject.toml": "",
    }.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_alerts_fire_and_clear_by_the_clock_of_the_case(peeklock: Run) -> None:
    found = peeklock("run", "alerts.yaml")
    assert found.returncode == 0, found.stdout


def test_an_alert_that_did_not_fire_tells_what_it_saw(peeklock: Run, project: Path) -> None:
    text = SCENARIO.replace(
        "        alert: backlog\n        expect: {state: Fired", "        alert: backlog\n        expect: {state: None"
    )
    text = text.replace(
        "      - alert: dead_letters\n        expect: {state: None}",
        "      - alert: errors\n        expect: {state: Fired}",
    )
    (project / "alerts.yaml").write_text(text)
    found = peeklock("run", "alerts.yaml")
    assert found.returncode == 1
    assert "errors saw no data; it is evaluated each 5m" in found.stdout


OF_TELEMETRY = """\
slow:
  query: AppRequests | summarize P95 = percentile(DurationMs, 95) by AppRoleName
  column: P95
  dimensions: {AppRoleName: teller}
  threshold: 1000
  window: 15m
  frequency: 5m
lost:
  metric: jobs.lost
  dimensions: {queue: "*"}
  aggregation: Total
  threshold: 2
  window: 15m
"""
TRACED_TELLER = """\
import http.server, os, time
from opentelemetry import metrics, trace
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

trace.set_tracer_provider(TracerProvider())
trace.get_tracer_provider().add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
metrics.set_meter_provider(MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())]))
tracer, lost = trace.get_tracer("teller"), metrics.get_meter("teller").create_counter("jobs.lost")

class Teller(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        now = time.time_ns()
        slow = 2 * 10**9 if self.path == "/slow" else 0
        tracer.start_span("GET", kind=trace.SpanKind.SERVER, start_time=now).end(now + slow)
        if self.path == "/lose":
            lost.add(3, {"queue": "jobs"})
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass

http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Teller).serve_forever()
"""
TRACED = """\
scenario: alerts on telemetry
stack: {telemetry: {protocols: [otlp]}}
services:
  teller: {run: [python, teller.py], ready: {http: /}}
alerts: rules.yaml
cases:
  fires_and_clears:
    clock: movable
    steps:
      - http: {get: /slow}
      - http: {get: /lose}
      - clock: {advance: 6m}
      - name: it is slow
        alert: slow
        eventually: 10s
        expect: {state: Fired, dimensions: {AppRoleName: teller}}
      - name: three are lost
        alert: lost
        expect: {state: Fired, dimensions: {queue: jobs}, why: {$contains: Total of jobs.lost over 15m was 3}}
      - clock: {advance: 1h}
      - alert: slow
        expect: {state: Resolved}
      - alert: lost
        expect: {state: Resolved}
"""


@pytest.mark.slow
def test_alerts_look_at_telemetry_by_the_clock_of_the_case(peeklock: Run, project: Path) -> None:
    """What a service counted just before the clock was moved is of the time before."""
    for name, text in {"traced.yaml": TRACED, "rules.yaml": OF_TELEMETRY, "teller.py": TRACED_TELLER}.items():
        (project / name).write_text(text, encoding="utf-8")
    found = peeklock("run", "traced.yaml", "--repeat", "3")
    assert found.returncode == 0, found.stdout


def test_rules_are_tried_on_a_run_that_has_been(peeklock: Run, project: Path) -> None:
    """Those of the scenario, and others; both see the run's own clock."""
    assert peeklock("run", "alerts.yaml").returncode == 0
    found = peeklock("alerts", "alerts.yaml")
    assert found.returncode == 0, found.stdout + found.stderr
    assert "alerts.yaml::fires_and_clears" in found.stdout
    assert "dead_letters: fired" in found.stdout
    assert "for EntityName: jobs, resolved" in found.stdout
    (project / "other.yaml").write_text(RULES.replace("threshold: 1", "threshold: 9"), encoding="utf-8")
    others = peeklock("alerts", "other.yaml", "--run", ".peeklock/run-1")
    assert "errors: did not fire: at" in others.stdout
    assert "was 2 (greater than 9 fires)" in others.stdout


def test_without_a_recorded_run_the_remedy_is_told(peeklock: Run) -> None:
    found = peeklock("alerts", "alerts.yaml")
    assert found.returncode == 3
    assert "no run has kept what alert rules could look at" in found.stderr
    assert "how to fix: peeklock run alerts.yaml" in found.stderr


def test_a_spoilt_recording_is_told_by_its_line(peeklock: Run, project: Path) -> None:
    place = project / ".peeklock" / "run-1" / "case" / "signals.ndjson"
    place.parent.mkdir(parents=True)
    place.write_text('{"case": "alerts.yaml::x", "start": 1, "end": 2}\n{"metric": "m"}\n', encoding="utf-8")
    found = peeklock("alerts", "rules.yaml")
    assert found.returncode == 3
    assert "this is no recording of a case" in found.stderr
    assert "signals.ndjson, line 2" in found.stderr
    assert "Traceback" not in found.stderr
