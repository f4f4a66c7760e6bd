"""The dashboard as a user types it: a warm stack, and the page of metrics of all that stands on it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.acceptance.conftest import PEEKLOCK, Run, environment

SCENARIO = """\
scenario: orders
stack: {servicebus: {queues: {orders: }}}
services:
  api: {run: [python, api.py], ready: {http: /metrics}}
  plain: {run: [python, -m, http.server, --bind, 127.0.0.1, "${service.port}"], ready: {http: /}}
cases:
  two_wait:
    steps:
      - send: {queue: orders, text: a, times: 2}
"""
API = """\
import http.server, os

class Service(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'orders_total{kind="plain"} 7\\n')

    def log_message(self, *_):
        pass

http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Service).serve_forever()
"""


@pytest.fixture
def warm(tmp_path: Path, peeklock: Run) -> Iterator[Path]:
    """A project whose stack is up, and on which a scenario has been run."""
    for name, text in {"orders.yaml": SCENARIO, "api.py": API, "pyproject.toml": ""}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert peeklock("up", cwd=tmp_path).returncode == 0
    try:
        done = peeklock("run", "orders.yaml", cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
        yield tmp_path
    finally:
        peeklock("down", cwd=tmp_path)


def test_the_metrics_of_all_that_stands_are_on_one_page(warm: Path) -> None:
    """Namespaces by their environment, services that have a page by their name; files for Prometheus and Grafana; Ctrl-C ends it."""
    command = [PEEKLOCK, "dashboard", "--port", "0"]
    with subprocess.Popen(command, cwd=warm, env=environment(), stdout=-1, stderr=-1, text=True) as process:
        assert process.stdout is not None
        found = re.search(r"http://127\.0\.0\.1:(\d+)/metrics", process.stdout.readline())
        assert found is not None
        page = httpx.get(found[0], timeout=20)
        refused = httpx.get(found[0], headers={"origin": "https://evil.example"}, timeout=20)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    assert refused.status_code == 403
    assert 'state="active"} 2' in page.text
    assert 'orders_total{environment="orders",kind="plain",service="api"} 7' in page.text
    assert 'service="plain"' not in page.text
    folder = warm / ".peeklock" / "dashboard"
    assert f"127.0.0.1:{found[1]}" in (folder / "prometheus.yml").read_text("utf-8")
    assert json.loads((folder / "grafana.json").read_text("utf-8"))["title"] == "Peeklock"
    assert "sig=" not in page.text
