"""Every event as a line of JSON, for tools."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import IO, Any

from peeklock.engine.events import Event, RunFinished, RunStarted
from peeklock.redaction import redact

FORMAT = 1
"""Of the lines; `RunStarted` tells it. New keys and new events do not change it, other meanings of old ones do."""


class NdjsonReport:
    """Writes `{"event": "CaseFinished", …}` lines as they happen: to a file, or to standard output."""

    def __init__(self, path: Path | None = None) -> None:
        """`path`: absent for standard output, where every line is ASCII, whatever its encoding."""
        self._own = path is not None
        self._file: IO[str] = path.open("w", encoding="utf-8", errors="backslashreplace") if path else sys.stdout

    def __call__(self, event: Event) -> None:
        self._file.write(redact(json.dumps(as_json(event), ensure_ascii=not self._own)) + "\n")
        self._file.flush()
        if self._own and isinstance(event, RunFinished):
            self._file.close()


def as_json(event: Event) -> dict[str, Any]:
    """Return an event as JSON data, without the raw record of a case, which artefacts hold."""
    return {
        "event": type(event).__name__,
        **({"format": FORMAT} if isinstance(event, RunStarted) else {}),
        **{
            field.name: _plain(getattr(event, field.name))
            for field in dataclasses.fields(event)
            if field.name != "record"
        },
    }


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): _plain(child) for key, child in value.items()}
    if isinstance(value, tuple | list | frozenset):
        return [_plain(child) for child in value]
    return str(value) if isinstance(value, Path) else value
