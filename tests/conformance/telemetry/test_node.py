"""OpenTelemetry's and Azure Monitor's packages for Node.js, told by environment variables alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conformance.servicebus.js.test_parity import modules

HERE = Path(__file__).parent
PEEKLOCK = Path(sys.executable).with_name("peeklock")
SCENARIO = """\
scenario: Orders
stack: {telemetry: true}
services:
  orders: {run: [node, service.cjs], env: {BY: "%s"}, ready: {http: /health, within: 60s}}
cases:
  an_order_is_told:
    timeout: 60s
    steps:
      - http: {post: /orders}
      - spans: {name: check}
        eventually: 20s
        expect: {items: [{service: orders, kind: internal, status: error, attributes: {order: "17"}}]}
        capture: {trace: "[0].trace_id", parent: "[0].parent_span_id"}
      - spans: {where: {trace_id: "${trace}", span_id: "${parent}"}}
        eventually: 20s
        expect: {items: [{kind: server}]}
      - metrics: {of: orders, name: orders.taken}
        eventually: 20s
        expect: {increase: 1}
"""


@pytest.mark.slow
@pytest.mark.parametrize("by", ["opentelemetry", "azure-monitor"])
def test_node(tmp_path: Path, by: str) -> None:
    """Spans with their parents, and counters, over OTLP and over Application Insights, which is reached by https:// only."""
    shutil.copy(HERE / "service.cjs", tmp_path)
    (tmp_path / "node_modules").symlink_to(modules(HERE, "telemetry-js") / "node_modules")
    (tmp_path / "orders.yaml").write_text(SCENARIO % by, encoding="utf-8")
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "PEEKLOCK_"))}
    done = subprocess.run(
        [PEEKLOCK, "run", "orders.yaml", "--backend", "embedded"],
        cwd=tmp_path, env=env, capture_output=True, text=True, check=False, timeout=110,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
