"""`--backend azure`, on stand-ins for the cloud that it may only speak to by what Azure offers: AMQP, ATOM, the Blob service, Postgres.

The namespace is `peeklock servicebus` without its control API; what the harness usually asks of that is not there.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from azure.storage.blob import BlobServiceClient

from peeklock.connection_strings import servicebus_connection_string
from peeklock.stack.azure.administration import Administration
from peeklock.stack.embedded.stack import EmbeddedStack
from tests.acceptance.conftest import PEEKLOCK, ROOT, environment

FILE = """
scenario: On the real cloud
stack:
  postgres: {migrations: migrations, extensions: [pg_trgm]}
  blobs: {containers: [pictures]}
  servicebus: {queues: {jobs: {consumers: [worker], max_delivery_count: 2}, poison: {consumers: []}}}
services:
  worker:
    run: [python, worker.py]
    env: {QUEUE: "${servicebus.queues.jobs}", CONTAINER: "${blobs.containers.pictures}"}
    ready: {log: worker.ready}
always: [no_dead_letters, no_stuck_messages, no_error_logs, no_service_exit, nothing_lost]
cases:
  done:
    steps:
      - send: {queue: jobs, message_id: one, json: {id: one}}
      - settle: 30s
      - db: {query: "SELECT id FROM done"}
        eventually: 20s
        expect: {rows: [{id: one}]}
      - blob: {get: pictures/one.json}
        expect: {exists: true, json: {id: one}}
  begins_with_nothing:
    steps:
      - db: {query: "SELECT count(*) AS n FROM done"}
        expect: {rows: [{n: 0}]}
      - blob: {list: pictures}
        expect: {count: 0}
  given_up:
    allow: [no_error_logs]
    steps:
      - send: {queue: jobs, message_id: bad, json: {id: bad}}
      - logs: {service: worker, where: {event: refused}}
        eventually: 20s
        expect: {count: {$gte: 2}}
      - settle: 30s
  history:
    steps: [{send: {queue: jobs, json: {id: x}}}, {messages: {queue: jobs}}]
  later:
    steps: [{clock: {advance: 1d}}]
  broken:
    steps: [{fault: {on: postgres, down: true}}]
"""
WORKER = """
import json, os, sys
import psycopg
from azure.servicebus import ServiceBusClient
from azure.storage.blob import BlobServiceClient
blobs = BlobServiceClient.from_connection_string(os.environ["AZURE_STORAGE_CONNECTION_STRING"])
with ServiceBusClient.from_connection_string(os.environ["AZURE_SERVICEBUS_CONNECTION_STRING"]) as client:
    with client.get_queue_receiver(os.environ["QUEUE"]) as receiver:
        print(json.dumps({"event": "worker.ready"}), flush=True)
        for message in receiver:
            body = b"".join(message.body)
            known = json.loads(body)["id"]
            if known == "bad":
                print(json.dumps({"event": "refused", "level": "error"}), flush=True)
                receiver.abandon_message(message)
                continue
            blobs.get_blob_client(os.environ["CONTAINER"], f"{known}.json").upload_blob(body, overwrite=True)
            with psycopg.connect(os.environ["DATABASE_URL"]) as database:
                database.execute("INSERT INTO done VALUES (%s)", [known])
            receiver.complete_message(message)
"""


class Cloud:
    """What a user would have in Azure, and the means to see what is in it."""

    def __init__(self, postgres: str, storage: str, servicebus: str) -> None:
        self.postgres, self.storage, self.servicebus = postgres, storage, servicebus

    def environment(self) -> dict[str, str]:
        named = {"SERVICEBUS": self.servicebus, "STORAGE": self.storage, "POSTGRES": self.postgres}
        return environment() | {f"PEEKLOCK_AZURE_{name}": value for name, value in named.items()}

    def run(self, *arguments: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [PEEKLOCK, "run", *arguments, "--backend", "azure"], cwd=cwd, env=self.environment() | env,
            capture_output=True, text=True, timeout=500, check=False,
        )  # fmt: skip

    def made(self) -> list[str]:
        """Everything in it that Peeklock may have made."""
        with psycopg.connect(self.postgres) as connection:
            found = [str(name) for (name,) in connection.execute("SELECT datname FROM pg_database").fetchall()]
        with BlobServiceClient.from_connection_string(self.storage) as account:
            found += [str(each.name) for each in account.list_containers()]
        administration = Administration(self.servicebus)
        feed = administration._client.get("/$Resources/queues", headers={"Authorization": token(administration)})
        administration.close()
        found += re.findall(r"<title[^>]*>([^<]*)</title>", feed.text)
        return [name for name in found if name.startswith("pk")]


def token(administration: Administration) -> str:
    from peeklock.servicebus.auth import make_token

    where = f"http://{administration._host}/$Resources/queues"
    return make_token(where, "RootManageSharedAccessKey", "SAS_KEY_VALUE", int(time.time()) + 60)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    command = [sys.executable, "-m", "peeklock.servicebus", "--port", "0"]
    with (
        EmbeddedStack.start(tmp_path_factory.mktemp("cloud"), ["postgres", "blobs"], room=1) as stack,
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as emulator,
    ):
        assert emulator.stdout is not None
        ready = next(json.loads(line) for line in emulator.stdout if "servicebus.ready" in line)
        assert ready["control_port"] is None
        address = f"127.0.0.1:{ready['amqp_port']}"
        bus = servicebus_connection_string(address, "RootManageSharedAccessKey", "SAS_KEY_VALUE")
        yield Cloud(stack.servers.postgres().url("postgres"), stack.servers.blobs().connection_string(0), bus)
        emulator.terminate()


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations" / "1.sql").write_text("CREATE TABLE done (id text)")
    (tmp_path / "worker.py").write_text(WORKER)
    (tmp_path / "peeklock.yaml").touch()
    (tmp_path / "cloud.yaml").write_text(FILE)
    return tmp_path


def outcomes(text: str) -> dict[str, str]:
    """The outcome of each case, by its name."""
    found = re.findall(r"^(PASSED|FAILED|SKIPPED|ERROR) +\S+::(\S+)", text, re.MULTILINE)
    return {name: word for word, name in found}


def test_what_can_be_told_passes_or_fails_and_the_rest_is_skipped_by_name(cloud: Cloud, mine: Path) -> None:
    """A message that is given up is seen, though no ledger tells of it; nothing is left in the cloud, no secret is told."""
    done = cloud.run("cloud.yaml", cwd=mine)
    assert outcomes(done.stdout) == {
        "done": "PASSED", "begins_with_nothing": "PASSED", "given_up": "FAILED", "history": "SKIPPED", "later": "SKIPPED",
        "broken": "SKIPPED",
    }, done.stdout + done.stderr  # fmt: skip
    assert "no_dead_letters: jobs dead-lettered bad" in done.stdout
    for reason in ("ability: exact_ledger", "ability: clock", "ability: faults"):
        assert reason in done.stdout
    assert "not judged on the azure backend" in done.stdout
    assert cloud.made() == []
    everything = done.stdout + done.stderr + "".join(
        path.read_text(errors="replace") for path in (mine / ".peeklock").rglob("*") if path.is_file()
    )  # fmt: skip
    for secret in ("SAS_KEY_VALUE", re.search(r"AccountKey=([^;]+)", cloud.storage)[1], cloud.postgres):  # type: ignore[index]
        assert secret not in everything


def test_a_run_that_is_killed_is_cleared_away_by_the_next_one(cloud: Cloud, mine: Path) -> None:
    """By the list of what it has made, in this machine's cache: what only looks like it stays."""
    killed = subprocess.Popen(
        [PEEKLOCK, "run", "cloud.yaml", "--backend", "azure"], cwd=mine, env=cloud.environment(), stdout=subprocess.PIPE, text=True
    )  # fmt: skip
    assert killed.stdout is not None
    next(line for line in killed.stdout if line.startswith("PASSED"))
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    killed.stdout.close()
    assert cloud.made()
    with BlobServiceClient.from_connection_string(cloud.storage) as account:
        account.create_container("pk00000000-0-theirs")
        done = cloud.run("cloud.yaml", "-k", "done", cwd=mine)
        assert "which was killed had left" in done.stdout, done.stdout + done.stderr
        assert cloud.made() == ["pk00000000-0-theirs"]
        account.delete_container("pk00000000-0-theirs")


def test_what_is_not_named_is_told(cloud: Cloud, mine: Path) -> None:
    done = cloud.run("cloud.yaml", cwd=mine, PEEKLOCK_AZURE_STORAGE="")
    assert done.returncode == 0
    assert "PEEKLOCK_AZURE_STORAGE is not set" in done.stdout
    unnamed = cloud.run(
        "cloud.yaml", cwd=mine, **{f"PEEKLOCK_AZURE_{n}": "" for n in ("STORAGE", "SERVICEBUS", "POSTGRES")}
    )
    assert unnamed.returncode == 3
    assert "PEEKLOCK_AZURE_SERVICEBUS is not set" in unnamed.stderr


@pytest.mark.parametrize("command", [["up"], ["explore", "cloud.yaml::done"]])
def test_what_the_cloud_cannot_do_is_an_error_that_leaves_nothing(cloud: Cloud, mine: Path, command: list[str]) -> None:
    done = subprocess.run(
        [PEEKLOCK, *command, "--backend", "azure"], cwd=mine, env=cloud.environment(), capture_output=True, text=True,
        timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 3, done.stdout + done.stderr
    assert "the azure backend" in done.stderr
    assert cloud.made() == []


SYSTEMS = ["sitefit/jobs", "opal/uploads", "intellioptics/api", "defectiq/api"]


@pytest.mark.parametrize("file", SYSTEMS)
def test_each_of_the_four_systems_runs_on_it(cloud: Cloud, file: str) -> None:
    done = cloud.run(f"scenarios/{file}.yaml", cwd=ROOT)
    found = list(outcomes(done.stdout).values())
    assert done.returncode == 0, done.stdout + done.stderr
    assert found.count("PASSED") >= 3
    assert set(found) <= {"PASSED", "SKIPPED"}
    assert cloud.made() == []
