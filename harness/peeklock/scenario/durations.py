"""Durations in a scenario file: with a unit, so that nobody has to guess."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from peeklock.durations import PATTERN, parse_duration


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
    WithJsonSchema({"type": "string", "pattern": rf"^{PATTERN}$", "examples": ["20s", "10m", "15d"]}),
]
"""Seconds as a float; written with a unit."""
