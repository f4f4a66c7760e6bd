"""Many users at once: what a load does, what it measures, how it fails, and that it leaves nothing behind."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import Run

API = """\
import json, os, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from azure.servicebus import ServiceBusClient, ServiceBusMessage

client = ServiceBusClient.from_connection_string(os.environ["AZURE_SERVICEBUS_CONNECTION_STRING"])
sender, one_at_a_time = client.get_queue_sender("jobs"), threading.Lock()

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer(200 if self.path == "/ready" else 404, {"user": self.headers.get("x-user")})

    def do_POST(self):
        job = json.loads(self.rfile.read(int(self.headers["content-length"])))
        with one_at_a_time:
            sender.send_messages(ServiceBusMessage(json.dumps(job), message_id=job["id"]))
        self.answer(202, job)

    def answer(self, status, body):
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass

ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""

WORKER = """\
import os
from azure.servicebus import ServiceBusClient, ServiceBusMessage

with ServiceBusClient.from_connection_string(os.environ["AZURE_SERVICEBUS_CONNECTION_STRING"]) as client:
    with client.get_queue_receiver("jobs", prefetch_count=50) as receiver, client.get_queue_sender("results") as sender:
        print("worker started", flush=True)
        for message in receiver:
            for _ in range(2 if os.environ.get("TWICE") and message.message_id.endswith("-7") else 1):
                sender.send_messages(ServiceBusMessage(str(message), message_id=message.message_id))
            receiver.complete_message(message)
"""

BASE = """\
scenario: jobs of many
timeout: 60s
stack:
  servicebus:
    queues:
      jobs: {consumers: [worker], duplicate_detection_window: 10m}
      results: {consumers: []}
services:
  api: {run: [python, api.py], ready: {http: /ready}}
  worker: {run: [python, worker.py], ready: {log: worker started}}
always: [nothing_lost, nothing_doubled, no_dead_letters, no_service_exit, no_stuck_messages]
cases:
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """An API and a worker that have their senders open: what is measured is not the opening."""
    root = tmp_path / "jobs"
    (root / "scenarios").mkdir(parents=True)
    (root / "pyproject.toml").write_text('[project]\nname = "jobs"\nversion = "1"\n', encoding="utf-8")
    (root / "api.py").write_text(API, encoding="utf-8")
    (root / "worker.py").write_text(WORKER, encoding="utf-8")
    return root


def write(project: Path, cases: str) -> str:
    """Write a scenario with these cases, and return its path."""
    (project / "scenarios" / "load.yaml").write_text(BASE + cases, encoding="utf-8")
    return "scenarios/load.yaml"


def events(project: Path, kind: str) -> list[dict[str, Any]]:
    """Return the events of a kind that the last run told."""
    newest = max((project / ".peeklock").glob("run-*/events.ndjson"), key=os.path.getmtime)
    lines = map(json.loads, newest.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line["event"] == kind]


def test_users_send_and_ask_and_every_message_is_accounted_for(project: Path, peeklock: Run) -> None:
    """Fragments, names of a round, captures and expectations hold for each user as they do for a step."""
    (project / "scenarios" / "fragment.yaml").write_text(
        """\
fragment: a job is posted
inputs: [id]
outputs: [taken]
steps:
  - http: {post: /jobs, json: {id: "${id}"}}
    expect: {status: 202, json: {id: "${id}"}}
    capture: {taken: json.id}
""",
        encoding="utf-8",
    )
    write(
        project,
        """\
  both:
    budget: {http: {service: api, path: /jobs, p95: 20s}}
    steps:
      - load:
          users: 4
          spawn_rate: 8
          iterations: 40
          acts:
            - set: {id: "job-${index}"}
            - use: fragment.yaml
              with: {id: "${id}"}
              outputs: [taken]
            - name: asks who it is
              http: {get: /ready, headers: {x-user: "user ${user}"}}
              expect: {status: 200, json: {user: {$regex: "user [0-3]"}}}
            - send: {queue: jobs, message_id: "${taken}", json: {id: "${taken}"}}
        expect: {requests: 120, failures: 0, iterations: 40, errors: [], p95: {$between: [0.0001, 20]}, rate: {$gt: 1}, acts: {asks who it is: {requests: 40}}}
      - settle: 30s
      - messages: {queue: results}
        expect: {count: 40, unique: message_id}
      - messages: {queue: jobs, where: {outcome: dropped_as_duplicate}}
        expect: {count: 40}
""",
    )
    done = peeklock("run")
    assert done.returncode == 0, done.stdout + done.stderr
    told = events(project, "StepProgress")
    assert told[-1]["figures"]["requests"] == 120
    assert "120 requests" in told[-1]["text"]


def test_a_worker_that_doubles_one_of_many_is_caught(project: Path, peeklock: Run) -> None:
    """Invariants look at every message of a load, whatever the case expects of it."""
    write(
        project,
        """\
  doubled:
    services: {worker: {env: {TWICE: "1"}}}
    steps:
      - load:
          users: 5
          iterations: 30
          acts: [{send: {queue: jobs, message_id: "m-${index}", json: {id: "m-${index}"}}}]
      - settle: 30s
""",
    )
    done = peeklock("run")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "nothing_doubled: results: m-7 was taken 2 times from worker" in done.stdout


def test_failures_fail_the_step_and_say_which_act_and_why(project: Path, peeklock: Run) -> None:
    """A status from 400 on, an unmet expectation and a name that cannot be looked up are failures; the round ends there."""
    write(
        project,
        """\
  refused:
    steps:
      - load: {users: 2, iterations: 6, acts: [{http: {get: /nothing}}, {send: {queue: jobs, text: never sent}}]}
  unmet:
    steps:
      - load: {users: 2, iterations: 6, acts: [{http: {get: /ready}, expect: {status: 204}}]}
  no_name:
    steps:
      - load: {users: 1, iterations: 3, acts: [{http: {get: /ready}, capture: {id: json.nothing}}]}
  expected:
    steps:
      - load: {users: 2, duration: 1s, pause: 100ms, acts: [{http: {get: /nothing}}]}
        expect: {failures: {$between: [4, 40]}, errors: [{act: http get /nothing, error: status 404}]}
      - messages: {queue: jobs}
        expect: {count: 0}
""",
    )
    done = peeklock("run")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "6 of 6 requests failed: http get /nothing: status 404 (6 times)" in done.stdout
    assert "status 200; status: expected 204, actual 200 (6 times)" in done.stdout
    assert 'has no "nothing"; it has keys user' in done.stdout
    assert "1 passed" in done.stdout


def test_a_load_longer_than_its_case_says_so_before_it_begins(project: Path, peeklock: Run) -> None:
    write(
        project,
        """\
  too_long:
    timeout: 5s
    steps:
      - load: {users: 2, duration: 10s, acts: [{http: {get: /ready}}]}
""",
    )
    done = peeklock("run")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "the load takes 10 s, and the case has" in done.stdout
    assert "raise its `timeout`" in done.stdout


def test_more_users_and_another_end_without_touching_the_file(project: Path, peeklock: Run) -> None:
    """`peeklock load` runs the cases that have a load; what it is told takes the place of what the step says."""
    file = write(
        project,
        """\
  loaded:
    timeout: 25s
    steps:
      - load: {users: 1, iterations: 1, acts: [{http: {get: /ready}}, {send: {queue: jobs, message_id: "${uuid()}", json: {id: a}}}]}
      - settle: 20s
  plain:
    steps:
      - send: {queue: jobs, message_id: a, json: {id: a}}
""",
    )
    done = peeklock("load", file, "--users", "3", "--spawn-rate", "10", "--duration", "2s")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
    assert "load duration 2s: " in done.stdout
    assert "  http get /ready: " in done.stdout
    told = [event["figures"] for event in events(project, "StepProgress")]
    assert max(figures["users"] for figures in told) == 3
    assert told[-1]["requests"] > 10
    assert "users, " in done.stdout  # a line, since it is no terminal


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--users", "0"), "Invalid value for '--users'"),
        (("--duration", "10"), "not a duration"),
        (("--duration", "0s"), "is no time"),
    ],
)
def test_what_makes_no_load_is_refused(project: Path, peeklock: Run, arguments: tuple[str, ...], told: str) -> None:
    done = peeklock("load", write(project, "  a: {steps: [{settle: 1s}]}\n"), *arguments)
    assert done.returncode == 2
    assert told in done.stderr


def test_a_case_without_a_load_is_no_case_to_load(project: Path, peeklock: Run) -> None:
    file = write(project, "  a: {steps: [{settle: 1s}]}\n")
    done = peeklock("load", f"{file}::a", "--users", "3")
    assert done.returncode == 2
    assert 'the case "a" has no load' in done.stderr
    of_the_file = peeklock("load", file)
    assert (of_the_file.returncode, "no case has a load" in of_the_file.stderr) == (2, True)
