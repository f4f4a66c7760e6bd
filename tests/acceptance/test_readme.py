"""Each command of the README, as it stands there, in a clone-like copy of the project."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.conftest import ROOT, environment

README = (ROOT / "README.md").read_text(encoding="utf-8")
BY_CI = {"make e2e", "make test", "make docker", "make images", "make e2e BACKEND=containers"}
"""Run by `.ci/run`, which this test is a part of."""
UNTIL_CTRL_C = {".venv/bin/peeklock ui --open"}
"""Pages that stay; they have tests of their own."""


def commands() -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    return [line.split("#")[0].strip() for block in blocks for line in block.splitlines() if line.strip()]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's tracked and new files, with its virtual environment."""
    folder = tmp_path_factory.mktemp("clone")
    for name in ("scenarios", "services", "fixtures", "docs", "pyproject.toml", "Makefile"):
        (folder / name).symlink_to(ROOT / name) if name != "scenarios" else subprocess.run(
            ["cp", "-r", ROOT / name, folder / name], check=True
        )
    (folder / ".venv" / "bin").mkdir(parents=True)
    for name in ("peeklock", "python"):
        (folder / ".venv" / "bin" / name).symlink_to(Path(sys.executable).with_name(name))
    return folder


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_command_works_in_the_order_of_the_page(clone: Path) -> None:
    """A warm stack is in the middle of it: `down`, the last of its block, ends it."""
    ran = []
    try:
        for command in commands():
            if command in BY_CI | UNTIL_CTRL_C:
                continue
            done = subprocess.run(
                command,
                shell=True,
                cwd=clone,
                env=environment() | {"PATH": os.environ["PATH"]},
                capture_output=True,
                text=True,
                timeout=600,
                check=False,
            )
            assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
            ran.append(command)
    finally:
        subprocess.run([".venv/bin/peeklock", "down"], cwd=clone, env=environment(), check=False, capture_output=True)
    assert len(ran) >= 10


def test_ci_runs_the_rest() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert {command for command in BY_CI if command in commands()} == BY_CI
    assert all(command in script for command in BY_CI)


def test_the_scenario_on_the_page_is_well_written(tmp_path: Path) -> None:
    (scenario,) = [
        block for block in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL) if block.startswith("scenario:")
    ]
    (tmp_path / "readme.yaml").write_text(scenario, encoding="utf-8")
    done = subprocess.run(
        [Path(sys.executable).with_name("peeklock"), "check", tmp_path],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
