"""Values made short enough to be kept: long texts are cut, and say so."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

_SLACK = 8192
"""Characters behind a cut that are redacted with what stays, so that no half of a secret does."""
_DEEPEST = 40
_MOST_ITEMS = 1000


def clip(text: str, longest: int, redact: Callable[[str], str]) -> str:
    """Return a text redacted, and cut to `longest` characters with a word about its length."""
    if len(text) <= longest:
        return redact(text)
    return f"{redact(text[: longest + _SLACK])[:longest]}… (cut; {len(text):,} characters)"


def clipped(value: Any, longest: int, redact: Callable[[str], str], depth: int = 0) -> Any:
    """Return a value as plain JSON data, each of its texts redacted and at most `longest` characters long."""
    match value:
        case str():
            return clip(value, longest, redact)
        case None | bool() | int() | float():
            return value
        case bytes():
            return f"({len(value):,} bytes)"
        case _ if depth == _DEEPEST:
            return "… (nested deeper)"
        case Mapping():
            shown = {
                clip(str(key), longest, redact): clipped(each, longest, redact, depth + 1)
                for key, each in list(value.items())[:_MOST_ITEMS]
            }
            return shown | ({"…": f"{len(value) - _MOST_ITEMS:,} more keys"} if len(value) > _MOST_ITEMS else {})
        case list() | tuple() | set() | frozenset():
            listed = [clipped(each, longest, redact, depth + 1) for each in list(value)[:_MOST_ITEMS]]
            return listed + ([f"… ({len(value) - _MOST_ITEMS:,} more)"] if len(value) > _MOST_ITEMS else [])
        case _:
            return clip(str(value), longest, redact)


def clipped_json(value: Any, longest: int, redact: Callable[[str], str]) -> str:
    """Return a value as JSON of at most about `longest` characters, redacted; texts in it are cut first."""
    for each in (longest // 4, longest // 40, 80):
        # once more as a whole: a secret may stand in it as a number
        text = redact(json.dumps(clipped(value, each, redact), ensure_ascii=False))
        if len(text) <= longest:
            return text
    return clip(text, longest, redact)
