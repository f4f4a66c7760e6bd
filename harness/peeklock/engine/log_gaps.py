"""What the log files of services have let go of."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from peeklock.supervision.log_file import FIRST, let_go


def log_gaps(services: Iterable[str], folder: Path) -> tuple[str, ...]:
    """Return a sentence for each service whose log in `folder` has a gap: it wrote more than a log keeps."""
    gone = {service: let_go(str(folder / f"{service}.log")) for service in services}
    return tuple(
        f"{lines:,} lines ({size:,} bytes) from the middle of {service}.log: a log keeps its first {FIRST >> 20} MiB and the last"
        for service, (lines, size) in gone.items()
        if lines
    )
