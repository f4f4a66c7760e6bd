"""`peeklock init` then `peeklock run`, in repositories that are not ours: green, or the line to change is named."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.conftest import HERE, PEEKLOCK, environment
from tests.conformance.servicebus.js.test_parity import modules


def typed(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `peeklock …` there, within the minute that it may take."""
    return subprocess.run(
        [PEEKLOCK, *arguments], cwd=folder, env=environment(), capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture
def copied(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A copy of somebody else's repository."""
    folder = Path(shutil.copytree(HERE / "foreign" / request.param, tmp_path / request.param))
    if (folder / "package-lock.json").exists():
        (folder / "node_modules").symlink_to(modules(folder, "parcels") / "node_modules")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("copied", "left"),
    [
        ("orders", ["docker-compose.yml: redis (redis:7) is not started here", "docker-compose.yml: api: volumes"]),
        ("parcels", ["infra/main.bicep:13: parcels: autoDeleteOnIdle: autoDelete", "authorizationrules api"]),
    ],
    indirect=["copied"],
)
def test_the_first_scenario_is_green(copied: Path, left: list[str]) -> None:
    """FastAPI with compose and Config.json; Express with Bicep. Every setting that is not carried over is told."""
    made = typed(copied, "init")
    assert made.returncode == 0, made.stdout + made.stderr
    for text in left:
        assert text in made.stdout
    ran = typed(copied, "run")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "0 failed, 1 passed" in ran.stdout


@pytest.mark.slow
@pytest.mark.parametrize("copied", ["thumbs"], indirect=True)
def test_the_line_that_only_its_owner_can_finish_is_named(copied: Path) -> None:
    """A worker alone reads a variable that no file gives a value: with that line changed, it is green."""
    made = typed(copied, "init")
    place = re.search(r"scenarios/first.yaml:(\d+)  THUMB_SIZE is read in worker.py:15", made.stdout)
    assert place is not None, made.stdout + made.stderr
    first = copied / "scenarios" / "first.yaml"
    lines = first.read_text("utf-8").splitlines()
    lines[int(place[1]) - 1] = '      THUMB_SIZE: "64"'
    first.write_text("\n".join(lines), encoding="utf-8")
    ran = typed(copied, "run")
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_a_file_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("mine\n", encoding="utf-8")
    done = typed(tmp_path, "init", "mine.yaml")
    assert (done.returncode, (tmp_path / "mine.yaml").read_text("utf-8")) == (2, "mine\n")


def test_from_a_file_that_is_not_there(tmp_path: Path) -> None:
    done = typed(tmp_path, "init", "--from", "main.bicep")
    assert done.returncode == 3
    assert "main.bicep is not there" in done.stderr
