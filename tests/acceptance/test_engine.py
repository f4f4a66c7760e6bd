"""`make docker` as its script: it says what it finds, and never does what it may not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from peeklock.stack.containers.discovery import find_engine
from peeklock.stack.errors import StackError

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ("bash", "cat", "dirname", "env", "id", "kill", "mktemp", "rm", "setsid", "sleep", "tail", "timeout", "uname")
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def engine_script(tmp_path: Path) -> Run:
    """Run it where no engine can be found, with a PATH of the test's own; `programs` are scripts by their name."""

    def run(
        *arguments: str, programs: Mapping[str, str] | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        tools = tmp_path / "bin"
        tools.mkdir()
        for name in TOOLS:
            if found := shutil.which(name):
                (tools / name).symlink_to(found)
        for name, text in {"id": "echo 0", "uname": "echo Linux", "systemctl": "exit 1", **(programs or {})}.items():
            (tools / name).unlink(missing_ok=True)
            (tools / name).write_text(f"#!/bin/sh\n{text}\n")
            (tools / name).chmod(0o755)
        # A context that names no engine, so that the one of this machine is not found.
        (tmp_path / "config.json").write_text('{"currentContext": "nowhere"}')
        known = {
            "PATH": str(tools), "HOME": str(tmp_path), "PYTHON": sys.executable, "DOCKER_CONFIG": str(tmp_path),
            "PEEKLOCK_ENGINE_LOG": str(tmp_path / "dockerd.log"),
        }  # fmt: skip
        return subprocess.run(
            [str(ROOT / "compose" / "engine.sh"), *arguments], env={**known, **environment}, capture_output=True, text=True, check=False, timeout=60
        )  # fmt: skip

    return run


def test_an_engine_that_answers_is_left_alone() -> None:
    try:
        address = find_engine().address
    except StackError as error:
        pytest.skip(f"no engine answers here: {'; '.join(error.checked)}")
    said = subprocess.run(
        [str(ROOT / "compose" / "engine.sh")], env={**os.environ, "PYTHON": sys.executable}, capture_output=True, text=True, check=False
    )  # fmt: skip
    assert said.returncode == 0, said.stderr
    assert said.stdout.startswith("a container engine answers already: ")
    assert said.stdout.endswith(f"{address}\n")


def test_an_engine_that_was_named_is_not_replaced_by_another(engine_script: Run) -> None:
    said = engine_script(DOCKER_HOST="unix:///nonexistent", programs={"apt-get": "echo never"})
    assert (said.returncode, said.stdout) == (3, "")
    assert "DOCKER_HOST: unix:///nonexistent: there is no such socket" in said.stderr
    assert "start it, or unset DOCKER_HOST" in said.stderr


@pytest.mark.parametrize(
    ("programs", "told"), [({"id": "echo 1000"}, "sudo make docker"), ({"uname": "echo Darwin"}, "Colima")]
)
def test_who_may_not_install_one_is_told_what_to_do(engine_script: Run, programs: dict[str, str], told: str) -> None:
    said = engine_script(programs={"apt-get": "echo never", **programs})
    assert (said.returncode, said.stdout) == (3, "")
    assert told in said.stderr


def test_a_machine_without_apt_is_told_so(engine_script: Run) -> None:
    said = engine_script()
    assert said.returncode == 3
    assert "there is no apt-get" in said.stderr


def test_packages_that_cannot_be_had_end_it_with_what_apt_said(engine_script: Run) -> None:
    said = engine_script(programs={"apt-get": "echo 'E: nothing can be reached' >&2; exit 100"})
    assert said.returncode == 3
    assert "E: nothing can be reached" in said.stderr
    assert "docker.io and iptables could not be installed" in said.stderr


@pytest.mark.skipif(Path("/run/systemd/system").exists(), reason="systemd starts the engine here")
def test_a_daemon_that_ends_is_told_at_once_with_its_last_words(engine_script: Run) -> None:
    said = engine_script(programs={"iptables": "", "dockerd": "echo 'failed to mount overlay: not permitted'; exit 1"})
    assert said.returncode == 3
    assert "failed to mount overlay: not permitted" in said.stderr
    assert "dockerd ended before it answered" in said.stderr


def test_it_stops_only_what_it_started(engine_script: Run) -> None:
    said = engine_script("stop")
    assert said.returncode == 3
    assert "no engine that was started here" in said.stderr


def test_another_word_is_a_mistake(engine_script: Run) -> None:
    assert engine_script("restart").returncode == 2
