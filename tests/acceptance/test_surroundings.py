"""`peeklock` in odd surroundings: what the caller's environment, descriptors and limits may not change."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from peeklock.stack.project.cache import cache_dir
from tests.acceptance.conftest import PEEKLOCK, Run, environment

PROBE = """\
import json, os, time
import psycopg
from azure.storage.blob import BlobServiceClient
print("probe begins", flush=True)
while True:
    try:
        with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
            connection.execute("select 1")
        account = BlobServiceClient.from_connection_string(os.environ["AZURE_STORAGE_CONNECTION_STRING"], retry_total=0)
        told = len(list(account.list_containers()))
    except Exception as error:
        told = f"{type(error).__name__}: {error}"
    print(json.dumps({"event": "probe", "containers": told}), flush=True)
    time.sleep(0.2)
"""
SCENARIO = """\
scenario: Odd surroundings
stack: {postgres: {}, blobs: {containers: [files]}, servicebus: {queues: {q: {}}}}
services:
  probe: {run: [python, probe.py], ready: {log: probe begins}}
cases:
  everything:
    steps:
      - blob: {put: files/x.txt, text: hello}
      - send: {queue: q, json: {a: 1}}
      - db: {query: "select 1 as one"}
        expect: {first: {one: 1}}
      - logs: {service: probe, where: {event: probe}}
        eventually: 10s
        expect: {contains: {containers: 1}}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "probe.py").write_text(PROBE)
    (tmp_path / "a.yaml").write_text(SCENARIO)
    return tmp_path


@pytest.mark.parametrize(
    "variables",
    [
        {"HTTP_PROXY": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9", "ALL_PROXY": "socks5://127.0.0.1:9"},
        {"http_proxy": "http://127.0.0.1:9", "all_proxy": "http://127.0.0.1:9", "no_proxy": "example.org"},
        {"PGSERVICE": "prod", "PGSSLMODE": "require", "PGTZ": "Foo/Bar", "PGOPTIONS": "-c no_such=1"},
        {"PGCHANNELBINDING": "require", "PGTARGETSESSIONATTRS": "read-only", "PGHOSTADDR": "127.0.0.2", "PGGSSENCMODE": "require"},
        {"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
        {"LC_ALL": "xx_YY.ISO-8859-1", "PYTHONIOENCODING": "ascii"},
    ],
    ids=lambda variables: "+".join(variables),
)  # fmt: skip
def test_the_callers_variables_change_nothing(peeklock: Run, variables: dict[str, str]) -> None:
    done = peeklock("run", ".", **variables)
    assert done.returncode == 0, done.stdout + done.stderr


def shell(project: Path, line: str) -> subprocess.CompletedProcess[str]:
    command = ["/bin/sh", "-c", line.replace("peeklock", str(PEEKLOCK))]
    return subprocess.run(
        command, cwd=project, env=environment(), capture_output=True, text=True, timeout=100, check=False
    )


def test_closed_descriptors_change_nothing(project: Path) -> None:
    assert shell(project, "peeklock run . <&- >&- 2>&-").returncode == 0


@pytest.mark.parametrize("command", ["run .", "check .", "status"])
def test_a_full_disk_at_standard_output_is_an_error_by_name(project: Path, command: str) -> None:
    done = shell(project, f"peeklock {command} > /dev/full")
    assert done.returncode == 3
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("limit", ["-v 400000", "-n 40"])
def test_a_limit_that_is_too_low_is_an_error_by_name(project: Path, limit: str) -> None:
    done = shell(project, f"ulimit {limit}; peeklock run .")
    told = done.stdout + done.stderr
    assert done.returncode in (1, 3)
    assert "Traceback" not in told
    assert "how to fix" in told


@pytest.mark.parametrize("length", [20, 120])
def test_temporary_folders_may_have_short_and_long_names(peeklock: Run, length: int) -> None:
    """Sockets have room for 107 bytes of a path."""
    with tempfile.TemporaryDirectory(dir="/tmp") as base:
        folder = Path(base, "t" * max(1, length - len(base) - 1))
        folder.mkdir()
        named = {name: str(folder) for name in ("TMPDIR", "XDG_RUNTIME_DIR", "PEEKLOCK_DATA")}
        for arguments in (("run", "."), ("up",), ("run", "."), ("down",)):
            done = peeklock(*arguments, **named)
            assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("passwd", ["root:x:0:0:root:/root:/bin/sh\n", ""])
def test_nobody_but_root_needs_a_name(project: Path, passwd: str) -> None:
    """As in small images: /etc/passwd has a line for root, or none at all."""
    (project / "passwd").write_text(passwd)
    allowed = shell(project, "unshare -m mount --bind passwd /etc/passwd")
    if allowed.returncode != 0:
        pytest.skip(f"no mount namespace: {allowed.stderr.strip()}")
    hidden = f"unshare -m sh -c 'mount --bind passwd /etc/passwd && PEEKLOCK_CACHE={project}/cache peeklock run .'"
    azurite = cache_dir() / "azurite"
    shutil.copytree(azurite, project / "cache" / "azurite")
    done = shell(project, hidden)
    assert done.returncode == 0, done.stdout + done.stderr
