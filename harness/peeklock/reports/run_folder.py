"""Where the artefacts of a run go: `.peeklock/run-N`."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from peeklock.stack.errors import unwritable

MOST_RUNS = 20
"""That are kept of a project, so that artefacts do not fill the disk."""


def new_run_folder(root: Path) -> Path:
    """Make and return the next `.peeklock/run-N` of a project. Raises `StackError` when the disk does not let us."""
    base = root / ".peeklock"
    try:
        base.mkdir(mode=0o700, exist_ok=True)
        numbers = [int(found.group(1)) for path in base.iterdir() if (found := re.fullmatch(r"run-(\d+)", path.name))]
        number = max(numbers, default=0)
        while True:
            number += 1
            try:
                (base / f"run-{number}").mkdir(mode=0o700)
            except FileExistsError:
                continue
            return base / f"run-{number}"
    except OSError as error:
        raise unwritable(base, error) from error


def forget_oldest(folder: Path) -> None:
    """Remove the runs beside `folder` that are more than are kept."""
    runs = sorted(folder.parent.glob("run-*"), key=lambda path: path.stat().st_mtime)
    for old in runs[:-MOST_RUNS]:
        shutil.rmtree(old, ignore_errors=True)
