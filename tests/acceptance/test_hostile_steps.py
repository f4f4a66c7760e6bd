"""Whatever a step meets, its case says so, the other cases run, and the exit code tells the truth."""

from __future__ import annotations

import http.server
import subprocess
import threading
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import Run

FUNCTIONS = """\
import os, subprocess, sys

def leaves(): sys.exit(0)
def leaves_at_once(): os._exit(0)
def works_for_ever():
    subprocess.Popen(["sleep", "9173"], start_new_session=True)
    while True: pass
def returns_an_object(): return object()
def returns_surrogates(): return {"text": "\\ud800"}
def good(): return {"answer": 42}
"""
CASES = """\
scenario: hostile
timeout: 4s
stack: {postgres: {}}
vars: {url: "%(url)s"}
cases:
  exits: {steps: [{run: {python: "functions:leaves"}}]}
  exits_at_once: {steps: [{run: {python: "functions:leaves_at_once"}}]}
  endless_function: {steps: [{run: {python: "functions:works_for_ever"}}]}
  no_json: {steps: [{run: {python: "functions:returns_an_object"}}]}
  surrogates: {steps: [{run: {python: "functions:returns_surrogates"}, expect: {text: x}}]}
  broken_import: {steps: [{run: {python: "broken:anything"}}]}
  absolute_path: {steps: [{run: {command: [/bin/sh, -c, "exit 3"]}, expect: {code: 0}}]}
  no_program: {steps: [{run: {command: [/bin/there-is-none]}}]}
  a_folder: {steps: [{run: {command: [/tmp]}}]}
  endless_command: {steps: [{run: {command: [sh, -c, "setsid sleep 9174 & sleep 9174"]}}]}
  leaves_a_daemon: {steps: [{run: {command: [sh, -c, "setsid sleep 9175 >/dev/null 2>&1 & exit 0"]}}, {run: {command: ["false"]}, expect: {code: 0}}]}
  not_utf8: {steps: [{run: {command: [printf, '\\377\\376']}, expect: {stdout: x}}]}
  bad_url: {steps: [{http: {get: "http://[::1"}, expect: {status: 200}}]}
  bad_base64: {steps: [{http: {post: "${url}", files: {part: {base64: "no!"}}}, expect: {status: 200}}]}
  nested: {steps: [{http: {get: "${url}/nested"}, expect: {json: {a: 1}}}]}
  long_number: {steps: [{http: {get: "${url}/number"}, expect: {json: {a: 1}}}]}
  dripping: {steps: [{http: {get: "${url}/drip"}, eventually: 1s, expect: {status: 201}}]}
  slow_query: {steps: [{db: {query: "SELECT pg_sleep(30)"}, expect: {count: 1}}]}
  infinity: {steps: [{db: {query: "SELECT 'Infinity'::numeric AS n"}, expect: {first: {n: 1}}}]}
  slow_regex: {steps: [{set: {text: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab}}, {run: {command: [echo, "${text}"]}, expect: {stdout: {$regex: "^(a|aa)+$"}}}]}
  good: {steps: [{run: {python: "functions:good"}, expect: {answer: 42}}]}
"""


class Evil(http.server.BaseHTTPRequestHandler):
    """Answers that hurt whoever believes them."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.end_headers()
        try:
            if self.path == "/nested":
                self.wfile.write(b"[" * 200_000)
            elif self.path == "/number":
                self.wfile.write(b'{"a": ' + b"9" * 5000 + b"}")
            else:
                for _ in range(100):
                    self.wfile.write(b" ")
                    self.server.gone.wait(0.5)  # type: ignore[attr-defined]
        except OSError:
            pass

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def evil_url() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Evil) as server:
        server.daemon_threads = True
        server.gone = threading.Event()  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.gone.set()  # type: ignore[attr-defined]
        server.shutdown()


@pytest.mark.slow
def test_every_case_is_judged_and_nothing_is_left(peeklock: Run, project: Path, evil_url: str) -> None:
    """Nineteen cases that hurt, and one that is good: none ends the run, all are told of, what they started is gone."""
    folder = project / "hostile"
    folder.mkdir()
    (folder / "functions.py").write_text(FUNCTIONS, encoding="utf-8")
    (folder / "broken.py").write_text("import os\nos.there_is_none\n", encoding="utf-8")
    (folder / "hostile.yaml").write_text(CASES % {"url": evil_url}, encoding="utf-8")
    done = peeklock("run", "hostile", "--junit", "junit.xml")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    found = {case.get("name"): case for case in ET.parse(project / "junit.xml").getroot().iter("testcase")}
    told = {name: (case.find("failure") is not None, "".join(case.itertext())) for name, case in found.items()}
    assert {name for name, (failed, _) in told.items() if not failed} == {"good"}, done.stdout
    assert len(told) == 21
    for name, text in {
        "exits": "leaves called sys.exit(0)",
        "exits_at_once": "leaves_at_once ended its process",
        "endless_function": "works_for_ever took longer than",
        "no_json": "JSON cannot hold a object",
        "broken_import": "broken.py cannot be loaded: AttributeError",
        "no_program": "no such command: /bin/there-is-none",
        "endless_command": "sh took longer than",
        "bad_url": "no answer",
        "bad_base64": "base64",
        "nested": "json",
        "dripping": "no whole answer",
        "slow_query": "the statement was cancelled",
        "infinity": "inf",
        "slow_regex": "was not decided within 1 s",
    }.items():
        assert text in told[name][1], (name, told[name][1])
    left = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert not [line for line in left.splitlines() if line.startswith("sleep 917")]
