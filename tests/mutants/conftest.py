"""Mutants are run when they are asked for (`make mutants`): they take a minute, and say nothing that `make test` would not."""

from __future__ import annotations

from pathlib import Path

import pytest


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave them out unless their folder is named on the command line."""
    return None if any("mutants" in argument for argument in config.args) else True
