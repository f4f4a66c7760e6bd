"""Which cases failed the last time, for `--last-failed`."""

from __future__ import annotations

import json
from pathlib import Path


class LastRun:
    """What is remembered of the last run of a project."""

    def __init__(self, root: Path) -> None:
        self._path = root / ".peeklock" / "last-run.json"

    def failed(self) -> frozenset[str] | None:
        """Return the ids of the cases that failed; None when nothing that can be read is remembered."""
        try:
            return frozenset(map(str, json.loads(self._path.read_text(encoding="utf-8"))["failed"]))
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None

    def remember(self, failed: tuple[str, ...]) -> None:
        """Write it down. Raises `OSError`."""
        self._path.write_text(json.dumps({"failed": failed}), encoding="utf-8")
