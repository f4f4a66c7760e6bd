"""A copy of the repository's services and scenarios, in which one thing can be broken, and `peeklock run` there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.mutation import Mutation

ROOT = Path(__file__).parents[2]
PEEKLOCK = Path(sys.executable).with_name("peeklock")
_PARTS = ("services", "scenarios", "fixtures")


class MutantDoesNotApplyError(AssertionError):
    """The text to change is not in its file exactly once: the code has moved on, and the mutation must follow."""


class CauseNotToldError(AssertionError):
    """The right step failed, but its output does not say why."""


@dataclass(frozen=True)
class Outcome:
    """How `peeklock run` ended in a copy."""

    code: int
    output: str
    report: Path

    def failures(self) -> dict[str, str]:
        """Return what is told of each failed case, by the case's name."""
        blocks = re.split(r"^(?=FAILED |PASSED |ERROR |SKIPPED |\d+ failed)", self.output, flags=re.MULTILINE)
        return {block.split()[1]: block for block in blocks if block.startswith("FAILED ")}


def copy_project(to: Path) -> Path:
    """Copy what a run needs into the new folder `to`. Compiled modules come along: they are tied to size and time of their source."""
    for part in _PARTS:
        shutil.copytree(ROOT / part, to / part)
    shutil.copy2(ROOT / "pyproject.toml", to)
    return to


def apply(mutation: Mutation, project: Path) -> None:
    """Change the one text. Raises `MutantDoesNotApplyError`."""
    path = project / mutation.file
    text = path.read_text(encoding="utf-8")
    if (count := text.count(mutation.old)) != 1:
        raise MutantDoesNotApplyError(
            f"the mutant no longer applies: {mutation.id}: {mutation.file} has its text {count} times\n{mutation.old}"
        )
    path.write_text(text.replace(mutation.old, mutation.new), encoding="utf-8")
    for compiled in path.parent.glob(f"__pycache__/{path.stem}.*.pyc"):
        compiled.unlink()


def run(project: Path, cases: Iterable[str]) -> Outcome:
    """`peeklock run` these cases in a copy, with a stack of its own."""
    done = peeklock(project, "run", *cases, "-n", "2")
    report = project / ".peeklock" / "run-1" / "report.html"
    return Outcome(done.returncode, done.stdout + done.stderr, report)


def peeklock(project: Path, *arguments: str, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    """Run the command in a copy; services are imported from there."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "PEEKLOCK_", "GITHUB_"))
    }
    return subprocess.run(
        [PEEKLOCK, *arguments],
        cwd=project,
        env=kept | {"PYTHONPATH": str(project), "COLUMNS": "200", "NO_COLOR": "1", "PEEKLOCK_BACKEND": "embedded"},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
