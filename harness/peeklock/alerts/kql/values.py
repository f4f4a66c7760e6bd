"""The values of log queries and how KQL compares and calculates with them: null gives null, whole numbers stay whole."""

from __future__ import annotations

import json
import math
import operator
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

Value = Any
"""None, bool, int, float, str, an aware datetime, a timedelta, or what JSON has."""
Row = Mapping[str, Value]
Kind = Literal["bool", "datetime", "dynamic", "number", "string", "timespan"]
"""What a column holds; `dynamic` is anything that JSON has, and what is not known."""
Columns = Mapping[str, Kind]


def text(value: Value) -> str:
    """Return a value as `tostring()` does: null is empty, true is `true`, and what JSON has is JSON."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case dict() | list():
            return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
        case _:
            return str(value)


def number(value: Value) -> float | int | None:
    """Return a value as a number; null when it is none."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int | float):
        return value
    try:
        found = float(value)
    except (TypeError, ValueError):
        return None
    return int(found) if found.is_integer() and "." not in str(value) and "e" not in str(value).lower() else found


def parsed(value: Value) -> Value:
    """Return what `parse_json()` makes of a text: null when it is no JSON."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return None


def member(value: Value, key: Value) -> Value:
    """Return a property or element of what JSON has; null where there is none. A text that is JSON is read first."""
    value = parsed(value) if isinstance(value, str) else value
    if isinstance(value, dict):
        return value.get(key)
    if isinstance(value, list) and isinstance(key, int) and -len(value) <= key < len(value):
        return value[key]
    return None


def floor(value: Value, size: Value) -> Value:
    """Return `bin(value, size)`: the start of the bin that a moment, a duration or a number lies in."""
    if isinstance(value, datetime) and isinstance(size, timedelta) and size > timedelta():
        since = value - datetime(1, 1, 1, tzinfo=UTC)
        return value - since % size
    if isinstance(value, timedelta) and isinstance(size, timedelta) and size > timedelta():
        return value - value % size
    if isinstance(value, int | float) and isinstance(size, int | float) and size > 0:
        return math.floor(value / size) * size
    return None


def arithmetic(word: str) -> Callable[[Value, Value], Value]:
    """Return `+`, `-`, `*`, `/` or `%`. Two whole numbers give a whole one: `1 / 1000` is 0, in Azure, too."""
    plain = {"+": operator.add, "-": operator.sub, "*": operator.mul}

    def calculate(left: Value, right: Value) -> Value:
        if left is None or right is None:
            return None
        try:
            if word in plain:
                return plain[word](left, right)
            if isinstance(left, int) and isinstance(right, int):
                quotient = abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)
                return quotient if word == "/" else left - right * quotient
            return left / right if word == "/" else math.fmod(left, right)
        except ZeroDivisionError:
            return (
                None
                if isinstance(left, int) and isinstance(right, int)
                else math.copysign(math.inf, left)
                if left
                else math.nan
            )
        except (TypeError, ValueError, OverflowError):
            return None

    return calculate


def comparison(word: str) -> Callable[[Value, Value], bool | None]:
    """Return a comparison of two values; with null it is null, but a text that is not there is the empty text."""
    ordered = {
        "<": operator.lt,
        "<=": operator.le,
        ">": operator.gt,
        ">=": operator.ge,
        "==": operator.eq,
        "!=": operator.ne,
    }

    def compare(left: Value, right: Value) -> bool | None:
        left, right = _alike(left, right)
        if left is None or right is None:
            return None
        try:
            return bool(ordered[word](left, right))
        except TypeError:
            return word == "!="

    return compare


def _alike(left: Value, right: Value) -> tuple[Value, Value]:
    if left is None and isinstance(right, str):
        return "", right
    if right is None and isinstance(left, str):
        return left, ""
    return left, right


def _has(whole: str, term: str) -> bool:
    return re.search(rf"(?<![0-9A-Za-z]){re.escape(term)}(?![0-9A-Za-z])", whole, re.IGNORECASE) is not None


_TEXT_TESTS: dict[str, Callable[[str, str], bool]] = {
    "=~": lambda left, right: left.casefold() == right.casefold(),
    "contains": lambda left, right: right.casefold() in left.casefold(),
    "contains_cs": lambda left, right: right in left,
    "has": _has,
    "startswith": lambda left, right: left.casefold().startswith(right.casefold()),
    "endswith": lambda left, right: left.casefold().endswith(right.casefold()),
}
_NEGATIONS = {"!~": "=~", "!contains": "contains", "!has": "has", "!startswith": "startswith", "!endswith": "endswith"}
TEXT_TESTS = frozenset({*_TEXT_TESTS, *_NEGATIONS})


def text_test(word: str) -> Callable[[Value, Value], bool]:
    """Return a test of one text by another, such as `contains` or `!has`."""
    positive = _NEGATIONS.get(word)
    holds = _TEXT_TESTS[positive or word]
    wanted = positive is None
    return lambda left, right: holds(text(left), text(right)) is wanted
