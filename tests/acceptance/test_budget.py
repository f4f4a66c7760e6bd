"""Budgets as a user has them: a service that is slow, burns and holds more than it may."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.acceptance.conftest import Run

SERVICE = """\
import http.server, os, time

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path.startswith("/slow"):
            time.sleep(0.3)
        elif self.path == "/burn":
            until = time.process_time() + 0.3
            while time.process_time() < until:
                pass
        elif self.path == "/hold":
            held = bytearray(128 << 20)
            held[::4096] = bytes(len(held) // 4096)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass

http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
SCENARIO = """\
scenario: budgets
services:
  api: {run: [python, api.py], ready: {http: /}}
cases:
  within:
    budget:
      http: {service: api, p95: 20s, max: 30s}
      services: {api: {cpu: 20s, memory: 2GiB}}
    steps:
      - http: {get: /slow/1}
  slow:
    budget: {http: [{path: /slow/*, max: 100ms}, {path: /, max: 30s}]}
    steps:
      - http: {get: /}
      - http: {get: /slow/1}
  busy:
    budget: {services: {api: {cpu: 100ms}}}
    steps:
      - http: {get: /burn}
  full:
    budget: {services: {api: {memory: 100MiB}}}
    steps:
      - http: {get: /hold}
"""


@pytest.mark.skipif(sys.platform != "linux", reason="CPU time and memory are read from Linux's /proc")
def test_what_a_case_uses_is_held_to_its_budget(tmp_path: Path, peeklock: Run) -> None:
    (tmp_path / "budget.yaml").write_text(SCENARIO, encoding="utf-8")
    (tmp_path / "api.py").write_text(SERVICE, encoding="utf-8")
    (tmp_path / "pyproject.toml").touch()
    done = peeklock("run", "budget.yaml", cwd=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "PASSED  budget.yaml::within" in done.stdout
    assert "budget: http /slow/*: max was" in done.stdout
    assert "at most 100 ms; slowest: GET /slow/1 → 204 in" in done.stdout
    assert "budget: services: api used" in done.stdout
    assert "budget: services: api held" in done.stdout
