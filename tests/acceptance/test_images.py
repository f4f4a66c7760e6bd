"""`peeklock images`, as typed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def images(*arguments: str, docker_host: str = "unix:///nonexistent") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "peeklock.cli", "images", *arguments], cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, "DOCKER_HOST": docker_host},
    )  # fmt: skip


def test_the_names_are_known_without_an_engine() -> None:
    said = images("list")
    assert said.returncode == 0, said.stderr
    assert re.fullmatch(r"(peeklock/(postgres|azurite|servicebus|services):[0-9a-f]{16}\n){4}", said.stdout)


def test_a_build_without_an_engine_ends_with_3_and_what_to_do() -> None:
    said = images("build", "azurite")
    assert (said.returncode, said.stdout) == (3, "")
    assert "DOCKER_HOST: unix:///nonexistent: there is no such socket" in said.stderr
    assert "make docker" in said.stderr
    assert "Traceback" not in said.stderr


def test_a_kind_that_is_not_there_is_named_with_those_that_are() -> None:
    said = images("build", "mysql")
    assert said.returncode == 3
    assert "there is no image 'mysql'" in said.stderr
    assert "postgres, azurite, servicebus, services" in said.stderr


def test_a_context_can_be_taken_to_another_builder(tmp_path: Path) -> None:
    said = images("context", "postgres", str(tmp_path / "context.tar"))
    assert said.returncode == 0, said.stderr
    with tarfile.open(tmp_path / "context.tar") as context:
        names = set(context.getnames())
        dockerfile = context.extractfile("Dockerfile").read().decode()
    copied = {
        name for line in re.findall(r"^(?:ADD|COPY) (.+) \S+$", dockerfile, re.MULTILINE) for name in line.split()
    }
    assert copied
    assert copied | {"Dockerfile"} == names
