"""Telemetry is asked for by environment variables: without them nothing is loaded, with them nobody waits for a collector."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar

import pytest

ROOT = Path(__file__).parents[3]
LOADED = "print(any(name.startswith('opentelemetry.sdk') for name in sys.modules))"


def run(code: str, **variables: str) -> str:
    """Run `code` in a Python of its own, whose OTEL_* variables are these; return what it prints."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}"],
        cwd=ROOT, env=kept | variables, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def started(rest: str) -> str:
    return f"from services.shared.telemetry import *\nstart_telemetry('svc')\n{rest}"


def test_a_service_that_is_told_no_collector_loads_nothing_for_it() -> None:
    worker = "import services.shared.consumer, services.shared.database, services.shared.logs\n"
    assert run(worker + started(LOADED)) == "False"
    assert run(started(LOADED), OTEL_SDK_DISABLED="true", OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9") == "False"
    assert run(started(LOADED), OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9") == "True"


def test_a_collector_that_never_answers_holds_no_service_up() -> None:
    """Its exports have an hour; the service ends all the same."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        told = run(
            started("with model_call('m'): pass\nstop_telemetry()\nprint('ended')"),
            OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{mute.getsockname()[1]}",
            OTEL_EXPORTER_OTLP_TIMEOUT="3600",
        )
    assert told == "ended"


def test_work_is_done_in_the_trace_that_its_message_carries() -> None:
    code = """
from types import SimpleNamespace
message = SimpleNamespace(message_id='1', delivery_count=0, application_properties={b'Diagnostic-Id': b'00-' + b'a' * 32 + b'-' + b'b' * 16 + b'-01'})
with processing('jobs', message) as outcome:
    outcome.word = 'completed'
    print(current_trace_id() == 'a' * 32)
    with model_call('m'):
        print(current_trace_id() == 'a' * 32)
print(current_trace_id())
"""
    none = {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"}
    told = run(started(code), OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9", **none)
    assert told.split() == ["True", "True", "None"]


class Collector(BaseHTTPRequestHandler):
    """Remembers which signals came."""

    signals: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.signals.append(self.path)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.mark.parametrize(
    "life",
    [
        "start_telemetry('svc')\nwith model_call('m'): pass\nstop_telemetry()",
        (
            "from fastapi import FastAPI\nfrom fastapi.testclient import TestClient\napp = FastAPI()\n"
            "start_telemetry('svc', app)\nwith TestClient(app) as client: client.get('/things')"
        ),
    ],
    ids=["a_worker", "an_api"],
)
def test_what_is_left_is_exported_as_a_service_ends(life: str) -> None:
    """Its intervals are an hour; spans and metrics are there all the same."""
    Collector.signals.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        run(
            f"from services.shared.telemetry import *\n{life}",
            OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{server.server_port}",
            OTEL_BSP_SCHEDULE_DELAY="3600000",
            OTEL_METRIC_EXPORT_INTERVAL="3600000",
        )
    finally:
        server.shutdown()
        server.server_close()
    assert sorted(set(Collector.signals)) == ["/v1/metrics", "/v1/traces"]
