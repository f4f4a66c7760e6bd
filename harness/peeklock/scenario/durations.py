"""Durations as people write them: `20s`, `500ms`, `10m1s`, `15d`, `-2h`."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_WHOLE = re.compile(rf"[+-]?(?:{_PART.pattern})+")


def parse_duration(text: str) -> float:
    """Return the duration in seconds; raise `ValueError` when `text` is not one.

    >>> parse_duration("10m1s"), parse_duration("-2h")
    (601.0, -7200.0)
    """
    stripped = text.strip().replace(" ", "")
    if not _WHOLE.fullmatch(stripped):
        raise ValueError(f"not a duration: {text!r} (write for example 500ms, 20s, 10m, 1h30m or 15d)")
    seconds = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(stripped))
    return -seconds if stripped.startswith("-") else seconds


def format_duration(seconds: float) -> str:
    """Return the shortest exact spelling that `parse_duration` reads back, to the millisecond."""
    milliseconds = round(abs(seconds) * 1000)
    parts = []
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, milliseconds = divmod(milliseconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return ("-" if seconds < 0 else "") + ("".join(parts) or "0s")


def _validate(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("not a duration (write for example 500ms, 20s, 10m or 15d)")
    if isinstance(value, str):
        return parse_duration(value)
    if value == 0:
        return 0.0
    raise ValueError(f"a duration needs a unit (write {value}s)")


Duration = Annotated[
    float,
    BeforeValidator(_validate),
    WithJsonSchema({"type": "string", "pattern": rf"^{_WHOLE.pattern}$", "examples": ["20s", "10m", "15d"]}),
]
"""Seconds as a float; written with a unit."""
