"""The command as a user types it, in a project of theirs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PEEKLOCK = Path(sys.executable).with_name("peeklock")

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the toy project."""
    return Path(shutil.copytree(HERE / "toy", tmp_path / "toy"))


def environment() -> dict[str, str]:
    """What a user's shell has: nothing of the test runner, and wide enough lines."""
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("PYTEST", "COV_", "PEEKLOCK_", "GITHUB_"))
    }
    return kept | {"COLUMNS": "200", "NO_COLOR": "1", "PEEKLOCK_BACKEND": "embedded"}


@pytest.fixture
def peeklock(project: Path) -> Run:
    """Run `peeklock …` in the project."""

    def run(*arguments: str, cwd: Path = project, timeout: float = 100, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [PEEKLOCK, *arguments],
            cwd=cwd,
            env=environment() | env,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return run


@pytest.fixture(scope="module")
def opened() -> Iterator[Browser]:
    """Chromium without a window, for the tests of a file."""
    from tests.acceptance.browser import browser  # playwright: 0.3 s, for tests that open a page

    with browser() as found:
        yield found
