from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from fixtures.models.fetch import FetchError, fetch_model
from peeklock.stack.project.cache import cache_dir


@pytest.fixture(scope="session")
def model_path() -> Path:
    """The real model, fetched once for this machine."""
    try:
        return fetch_model(cache_dir() / "models")
    except FetchError as error:
        pytest.skip(f"no model: {error}")


@pytest.fixture
def events() -> Iterator[list[dict[str, object]]]:
    """What the code under test logs."""
    with structlog.testing.capture_logs() as captured:
        yield captured
