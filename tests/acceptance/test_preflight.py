"""`peeklock preflight` as a user types it, in a folder of their own."""

from __future__ import annotations

import json
import shlex
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.conftest import Run

SCENARIO = """\
scenario: What a deployment stands on
stack:
  postgres: {migrations: ../migrations}
  blobs: {containers: [images]}
  servicebus: {queues: {jobs: , results: }}
cases:
  it_stands: {steps: [{settle: }]}
"""


@pytest.fixture
def deployment(peeklock: Run, project: Path) -> Iterator[dict[str, str]]:
    """Databases, queues and containers that stand, and the variables by which they are reached."""
    (project / "migrations").mkdir()
    (project / "migrations" / "1.sql").write_text("CREATE TABLE jobs (id int PRIMARY KEY, name text NOT NULL)")
    (project / "scenarios" / "stands.yaml").write_text(SCENARIO)
    done = peeklock("run", "--keep", "scenarios/stands.yaml")
    try:
        assert done.returncode == 0, done.stdout + done.stderr
        lines = peeklock("env", "stands").stdout.splitlines()
        yield dict(shlex.split(line)[1].split("=", 1) for line in lines)
    finally:
        peeklock("down")


def write(folder: Path, service: str, told: dict[str, str], **also: str) -> None:
    names = ("DATABASE_URL", "AZURE_STORAGE_CONNECTION_STRING", "AZURE_SERVICEBUS_CONNECTION_STRING")
    lines = {**{name: told[name] for name in names}, "BLOB_CONTAINER": "images", **also}
    (folder / f"{service}.env").write_text("".join(f"{name}={value}\n" for name, value in lines.items()))


def test_the_two_silent_failures_are_named(peeklock: Run, project: Path, deployment: dict[str, str]) -> None:
    """API and worker on different databases, and a queue that is not there: file, line and variable of each."""
    write(project, "api", deployment, JOBS_QUEUE="jobs")
    write(project, "good", deployment, JOBS_QUEUE="jobs")
    done = peeklock("preflight", "--env", "api.env", "--env", "good.env")
    assert (done.returncode, done.stdout.partition(";")[0]) == (0, "no fault"), done.stdout + done.stderr

    other = deployment["DATABASE_URL"].rpartition("/")[0] + "/postgres"
    write(project, "worker", deployment, JOBS_QUEUE="jobz", DATABASE_URL=other, BLOB_CONTAINER="image")
    done = peeklock("preflight", "--env", "api.env", "--env", "worker.env")
    assert done.returncode == 1
    assert "different-databases: api and worker reach different databases" in done.stdout
    assert "where: api.env:1 (DATABASE_URL), worker.env:1 (DATABASE_URL)" in done.stdout
    assert 'queue-missing: there is no queue "jobz"' in done.stdout
    assert 'did you mean "jobs"?' in done.stdout
    assert 'container-missing: there is no container "image"' in done.stdout
    told = json.loads(peeklock("preflight", "--env", "api.env", "--env", "worker.env", "--json").stdout)
    assert [each["name"] for each in told["findings"]] == [
        "different-databases",
        "different-queues",
        "queue-missing",
        "container-missing",
    ]
    secrets = [deployment["PGPASSWORD"], deployment["AZURE_SERVICEBUS_CONNECTION_STRING"].partition("AccessKey=")[2]]
    assert not [secret for secret in secrets if secret in done.stdout + done.stderr + json.dumps(told)]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "cannot read the environment file: No such file"),
        ("", "sets no variable"),
        ("LOG_LEVEL=debug\n", "no variable names a database, a namespace or a storage account"),
    ],
    ids=["wrong_path", "empty", "nothing_to_check"],
)
def test_a_file_that_tells_nothing_is_exit_code_2(peeklock: Run, tmp_path: Path, text: str | None, told: str) -> None:
    if text is not None:
        (tmp_path / "api.env").write_text(text)
    done = peeklock("preflight", "--env", "api.env", cwd=tmp_path)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_no_argument_at_all_is_told(peeklock: Run, tmp_path: Path) -> None:
    done = peeklock("preflight", cwd=tmp_path)
    assert done.returncode == 2
    assert "--env api.env" in done.stderr


def test_a_host_that_never_answers_is_given_up(peeklock: Run, tmp_path: Path) -> None:
    """Somebody who takes connections and says nothing, in the place of all three; and a host that is not there."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        at = f"127.0.0.1:{silent.getsockname()[1]}"
        (tmp_path / "api.env").write_text(
            f"DATABASE_URL=postgresql://u:pw@{at}/orders\n"
            "REPORTS_URL=postgresql://u:pw@nobody.invalid/orders\n"
            f"BUS=Endpoint=sb://{at};SharedAccessKeyName=app;SharedAccessKey=abcd;UseDevelopmentEmulator=true\n"
            f"BLOBS=AccountName=pics;AccountKey=abcd;BlobEndpoint=http://{at}/pics\n"
        )
        done = peeklock("preflight", "--env", "api.env", "--timeout", "2s", cwd=tmp_path, timeout=30)
    assert done.returncode == 1
    names = [line.partition(":")[0] for line in done.stdout.splitlines() if "-unreachable:" in line]
    assert sorted(names) == [
        "account-unreachable",
        "database-unreachable",
        "database-unreachable",
        "namespace-unreachable",
    ]
    assert "there was no answer" in done.stdout
    assert "no host of that name" in done.stdout


@pytest.mark.parametrize(
    "secret", ["p@ss/w#rd:With?All", "pl%41in", "p%40ss%2Fw%23rd", "quote'and\\slash", "ünïcode-¢"]
)
def test_a_password_is_in_no_output(peeklock: Run, tmp_path: Path, secret: str) -> None:
    """Encoded or not, whole or in parts: what a URL parser makes of it is not shown either."""
    (tmp_path / "api.env").write_text(f"DATABASE_URL=postgresql://app:{secret}@127.0.0.1:1/orders\n")
    done = peeklock("preflight", "--env", "api.env", cwd=tmp_path)
    as_json = peeklock("preflight", "--env", "api.env", "--json", cwd=tmp_path)
    assert (done.returncode, as_json.returncode) == (1, 1), done.stdout + done.stderr
    shown = done.stdout + done.stderr + as_json.stdout + as_json.stderr
    assert not [part for part in (secret, "w#rd", "ss/w", "With?All", "slash", "code-") if part in shown], shown


SYSTEM = """\
scenario: API and worker
preflight: true
stack:
  postgres: {migrations: ../migrations}
  servicebus: {queues: {jobs: {consumers: [worker]}, results: }}
services:
  api: {run: [python, api.py], env: {JOBS_QUEUE: jobs}, ready: {http: /ready}}
  worker: {run: [python, worker.py], env: {JOBS_QUEUE: jobs}, ready: {log: worker started}}
cases:
  one:
    steps:
      - preflight:
        expect: {findings: []}
"""


@pytest.fixture
def system(project: Path) -> Path:
    """A scenario of the toy, with a database."""
    (project / "migrations").mkdir()
    (project / "migrations" / "1.sql").write_text("CREATE TABLE jobs (id int PRIMARY KEY, name text NOT NULL)")
    path = project / "scenarios" / "system.yaml"
    path.write_text(SYSTEM)
    return path


def test_a_scenario_file_whose_services_are_fine(peeklock: Run, system: Path) -> None:
    """The command and `preflight: true` agree."""
    done = peeklock("preflight", "scenarios/system.yaml")
    assert (done.returncode, done.stdout.splitlines()[-1].partition(";")[0]) == (0, "no fault"), (
        done.stdout + done.stderr
    )
    done = peeklock("run", "scenarios/system.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_service_that_is_told_a_wrong_queue_is_never_started(peeklock: Run, system: Path) -> None:
    """`preflight: true` fails the case by name; the worker, which would wait for ever, does not even start."""
    system.write_text(SYSTEM.replace("worker.py], env: {JOBS_QUEUE: jobs}", "worker.py], env: {JOBS_QUEUE: jobz}"))
    for command in ("preflight", "run"):
        done = peeklock(command, "scenarios/system.yaml")
        assert done.returncode == 1, done.stdout + done.stderr
        assert 'queue-missing: there is no queue "jobz", which worker is told to use' in done.stdout
        assert "where: scenarios/system.yaml:8 (JOBS_QUEUE)" in done.stdout
        assert "services ready" not in done.stdout


def test_a_service_that_does_not_come_up_is_a_fault(peeklock: Run, system: Path) -> None:
    system.write_text(SYSTEM.replace("[python, worker.py]", "[python, -c, 'raise SystemExit(3)']"))
    done = peeklock("preflight", "scenarios/system.yaml")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "not-started: service worker" in done.stdout


def test_a_deployment_is_held_to_a_scenario_file(peeklock: Run, project: Path, deployment: dict[str, str]) -> None:
    """A column that somebody changed by hand, and a queue and a container that were never created."""
    write(project, "api", deployment)
    declared = SCENARIO.replace("results: }", "results: , audits: }").replace("[images]", "[images, thumbnails]")
    (project / "scenarios" / "deployed.yaml").write_text(declared)
    other = project / "migrations2"
    other.mkdir()
    (other / "1.sql").write_text(
        "CREATE TABLE jobs (id int PRIMARY KEY, title text NOT NULL); CREATE TABLE runs (id int)"
    )
    path = project / "scenarios" / "deployed.yaml"
    path.write_text(declared.replace("../migrations", "../migrations2"))
    done = peeklock("preflight", "scenarios/deployed.yaml", "--env", "api.env")
    assert done.returncode == 1, done.stdout + done.stderr
    told = {line.partition(":")[0] for line in done.stdout.splitlines() if not line.startswith(" ")}
    assert {"queue-missing", "container-missing", "schema-drift", "table-missing"} <= told, done.stdout
    assert 'there is no queue or topic "audits"' in done.stdout
    assert "title text NOT NULL" in done.stdout
    assert "name text NOT NULL is in no migration" in done.stdout


def test_a_scenario_that_is_not_one(peeklock: Run, project: Path) -> None:
    (project / "bad.yaml").write_text("scenario: x\n")
    for path in ("bad.yaml", "nowhere.yaml"):
        done = peeklock("preflight", path)
        assert done.returncode == 2, done.stdout + done.stderr
        assert path in done.stderr
        assert "Traceback" not in done.stderr
