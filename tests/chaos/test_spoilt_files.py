"""A sample of what `make chaos` does with scenario files."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.chaos import spoilt_files


@pytest.mark.slow
def test_spoilt_files_are_taken_or_refused(tmp_path: Path) -> None:
    """Never a traceback, never a hang: a thousand of them in `make chaos`, sixty here."""
    seed = random.randrange(1_000_000)
    found = dict(spoilt_files.spoil_and_read(60, seed, spoilt_files.copy_of_the_project(tmp_path)))
    wrong = {number: told for number, told in found.items() if told not in ("taken", "refused")}
    assert not wrong, f"seed {seed}"
    assert {"taken", "refused"} == set(found.values())
