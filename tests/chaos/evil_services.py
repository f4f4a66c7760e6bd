"""Services that hurt whoever listens to them: the run goes on, every case is judged, and nothing of them is left."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

PEEKLOCK = Path(sys.executable).with_name("peeklock")
HEAD = """\
import http.server, os, sys, threading, time
class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self): self.send_response(204); self.end_headers()
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Ready)
threading.Thread(target=server.serve_forever, daemon=True).start()
"""
EVILS = {
    "deep": "print('[' * 5000 + ']' * 5000, flush=True)",
    "burst": "sys.stdout.write('x' * 79 + '\\n'); [sys.stdout.write(('y' * 999 + '\\n') * 1000) for _ in range(150)]",
    "bytes": "os.write(1, os.urandom(20_000_000))",
    "one_line": "os.write(1, b'z' * 30_000_000)",
    "surrogates": 'os.write(1, b\'{"event": "\\\\ud800"}\\n\')',
    "children": "[os.spawnlp(os.P_NOWAIT, 'setsid', 'setsid', 'sleep', '9271') for _ in range(20)]",
    "ignores_the_end": "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)",
    "forks_and_leaves": "os.fork() or time.sleep(0.1)",
}
SCENARIO = """\
scenario: {name}
timeout: 20s
services:
  evil: {{run: [python, {name}.py], env: {{PORT: "${{service.port}}"}}, ready: {{http: /}}, stop_grace: 1s}}
cases:
  it_answers: {{steps: [{{http: {{get: /}}, expect: {{status: 204}}}}]}}
  it_still_does: {{steps: [{{http: {{get: /}}, expect: {{status: 204}}}}]}}
"""


@dataclass
class Survived:
    """What became of a run over services that hurt."""

    cases: int
    passed: int
    seconds: float
    peak: int
    """Megabytes of the run itself, at the most."""
    left: int
    """Processes that it has left."""


def run(folder: Path) -> Survived:
    """Run one scenario for each evil, all in one run."""
    (folder / "pyproject.toml").touch()
    for name, evil in EVILS.items():
        (folder / f"{name}.py").write_text(f"{HEAD}{evil}\nwhile True: time.sleep(60)\n", encoding="utf-8")
        (folder / f"{name}.yaml").write_text(SCENARIO.format(name=name), encoding="utf-8")
    began = time.monotonic()
    process = subprocess.Popen(
        [PEEKLOCK, "run", ".", "--backend", "embedded", "--junit", "junit.xml"],
        cwd=folder, stdout=(folder / "out.txt").open("wb"), stderr=subprocess.STDOUT,
    )  # fmt: skip
    _, _, usage = os.wait4(process.pid, 0)
    process.returncode = 0
    cases = list(ET.parse(folder / "junit.xml").getroot().iter("testcase"))
    passed = sum(case.find("failure") is None and case.find("error") is None for case in cases)
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout.splitlines()
    left = [line for line in listed if line.startswith("sleep 9271") or any(f"{name}.py" in line for name in EVILS)]
    return Survived(len(cases), passed, time.monotonic() - began, usage.ru_maxrss // 1024, len(left))
