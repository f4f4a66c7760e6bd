"""What a scenario may ask of real processes: to stand still, to hear other variables, to make what they need."""

from __future__ import annotations

from pathlib import Path

from tests.acceptance.conftest import Run

PAUSE = """\
scenario: a pause longer than the lock
stack: {servicebus: {queues: {jobs: {lock_duration: 5s}, results: {consumers: []}}}}
services: {worker: {run: [python, worker.py], ready: {log: worker started}}}
cases:
  paused:
    allow: [no_service_exit]    # this worker does not know what to do about a lost lock
    steps:
      - pause: {service: worker, at: {queue: jobs, on: complete}}
      - send: {queue: jobs, json: {id: "a", number: 1}}
      - pause: {wait: worker}
      - queue: jobs
        eventually: 10s
        expect: {active: 1, locked: 0}
      - service: {resume: worker}
      - logs: {service: worker, contains: The lock supplied is invalid}
        eventually: 20s
        expect: {count: {$gte: 1}}
      - service: {restart: worker}
      - settle: {at_least: 1}
      - messages: {queue: jobs}
        expect: {count: 1, each: {outcome: completed, deliveries: 2}}
      - messages: {queue: results}
        expect: {count: 2}
"""
MAKES = """\
import os
import time
import psycopg
from azure.storage.blob import BlobServiceClient

with psycopg.connect(os.environ["DATABASE_URL"]) as database:
    database.execute("CREATE TABLE IF NOT EXISTS items (id int)")
account = BlobServiceClient.from_connection_string(os.environ["AZURE_STORAGE_CONNECTION_STRING"])
if not account.get_container_client("made").exists():
    account.create_container("made")
print("flag is", os.environ.get("FLAG", "off"), flush=True)
print("ready now", flush=True)
time.sleep(1000)
"""
STARTS = """\
scenario: what a service makes at its start
vars: {container: made}    # nobody declares it
stack: {postgres: {}, blobs: {}}
services: {maker: {run: [python, maker.py], ready: {log: ready now}}}
cases:
  first: &same
    steps:
      - db: "SELECT * FROM items"
        expect: {count: 0}
      - db: {execute: "INSERT INTO items VALUES (1)"}
      - blob: {put: "${container}/x", text: x}
  second: *same
  flagged:
    services: {maker: {env: {FLAG: "on"}}}
    steps:
      - service: {restart: maker}
      - logs: {contains: flag is}
        expect: {contains: {text: flag is on}}
  not_flagged:
    steps:
      - db: {execute: DROP TABLE items}
      - blob: {get: "${container}/x"}
        expect: {exists: false}
"""


def test_a_paused_worker_loses_its_lock_and_its_message_comes_again(peeklock: Run, project: Path) -> None:
    (project / "scenarios" / "pause.yaml").write_text(PAUSE, encoding="utf-8")
    done = peeklock("run", "scenarios/pause.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_services_make_at_their_start_is_there_in_every_case(peeklock: Run, project: Path) -> None:
    (project / "scenarios" / "starts.yaml").write_text(STARTS, encoding="utf-8")
    (project / "maker.py").write_text(MAKES, encoding="utf-8")
    done = peeklock("run", "scenarios/starts.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
