"""A log that was too long to be kept whole is told of."""

from __future__ import annotations

from pathlib import Path

import pytest

from peeklock.engine.log_gaps import log_gaps
from peeklock.supervision import log_file
from peeklock.supervision.log_file import LogFiles


def test_the_services_whose_logs_have_a_gap_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not one that wrote little, nor one that wrote nothing."""
    monkeypatch.setattr(log_file, "FIRST", 2000)
    monkeypatch.setattr(log_file, "LAST", 2000)
    files = LogFiles()
    files.opened(str(tmp_path / "worker.log")).write(b"a line of it\n" * 9_000)
    files.opened(str(tmp_path / "api.log")).write(b"a line of it\n" * 9)
    [told] = log_gaps(("api", "worker", "silent"), tmp_path)
    lines, size = log_file.let_go(str(tmp_path / "worker.log"))
    assert size == 13 * lines > 100_000
    assert told.startswith(f"{lines:,} lines ({size:,} bytes) from the middle of worker.log: ")
