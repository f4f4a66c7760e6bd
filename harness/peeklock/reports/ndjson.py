"""Every event as a line of JSON, for tools."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import IO, Any

from peeklock.engine.events import Event, RunFinished
from peeklock.redaction import redact


class NdjsonReport:
    """Writes `{"event": "CaseFinished", …}` lines to a file as they happen."""

    def __init__(self, path: Path) -> None:
        self._file: IO[str] = path.open("w", encoding="utf-8", errors="backslashreplace")

    def __call__(self, event: Event) -> None:
        self._file.write(redact(json.dumps(as_json(event), ensure_ascii=False)) + "\n")
        self._file.flush()
        if isinstance(event, RunFinished):
            self._file.close()


def as_json(event: Event) -> dict[str, Any]:
    """Return an event as JSON data, without the raw record of a case, which artefacts hold."""
    return {
        "event": type(event).__name__,
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
