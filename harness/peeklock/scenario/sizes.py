"""Amounts of memory in a scenario file: with a unit, so that nobody has to guess."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

_UNITS = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_PATTERN = r"(\d+(?:\.\d+)?) ?(KiB|MiB|GiB)"


def _validate(value: Any) -> int:
    found = re.fullmatch(_PATTERN, value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("not an amount of memory (write for example 300MiB or 1.5GiB)")
    return round(float(found[1]) * _UNITS[found[2]])


Size = Annotated[
    int,
    BeforeValidator(_validate),
    WithJsonSchema({"type": "string", "pattern": f"^{_PATTERN}$", "examples": ["300MiB", "1.5GiB"]}),
]
"""Bytes as a whole number; written with a unit."""


def format_size(count: int) -> str:
    """Return bytes in the largest unit of which there is one, as in `300 MiB`."""
    for unit, factor in reversed(_UNITS.items()):
        if count >= factor:
            return f"{count / factor:.4g} {unit}"
    return f"{count} B"
