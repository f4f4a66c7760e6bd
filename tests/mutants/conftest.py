"""Mutants are run when they are asked for (`make mutants`): they take a minute, and say nothing that `make test` would not."""

from __future__ import annotations

from pathlib import Path

import pytest


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave them out unless their folder is named on the command line; those that are explored, unless their file is."""
    wanted = "explored" if collection_path.name == "test_explored.py" else "mutants"
    return None if any(wanted in argument for argument in config.args) else True
