"""The values of SQL expressions: how they compare and calculate (S-71). None stands for null and for unknown."""

from __future__ import annotations

import math
import operator
import uuid
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from .errors import FilterException

INT64 = range(-(1 << 63), 1 << 63)
Operator = Callable[[Any, Any], Any]


def is_number(value: Any) -> bool:
    """True for integers and doubles of any width; a boolean is none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def alike(left: Any, right: Any) -> bool:
    """True when both are of one kind: numbers with numbers, texts with texts, and so on (S-70)."""
    if is_number(left):
        return is_number(right)
    for kind in (bool, str, bytes, uuid.UUID):
        if isinstance(left, kind):
            return isinstance(right, kind)
    return type(left) is type(right)


def same(left: Any, right: Any) -> bool:
    """Compare two known values; texts with their case, and no text equals a number (S-70)."""
    return alike(left, right) and bool(left == right)


def kind_of(value: Any) -> str:
    """Name the kind of a value, for error texts."""
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int):
        return "an integer"
    return {"float": "a double", "Float": "a double", "UUID": "a guid", "bytes": "binary"}.get(
        type(value).__name__, "a string" if isinstance(value, str) else "a value"
    )


def equal(left: Any, right: Any) -> bool | None:
    """Evaluate `=`."""
    return None if left is None or right is None else same(left, right)


def unequal(left: Any, right: Any) -> bool | None:
    """Evaluate `<>`."""
    return None if left is None or right is None else not same(left, right)


def _order(symbol: str, compare: Callable[[Any, Any], bool]) -> Operator:
    def evaluate(left: Any, right: Any) -> bool | None:
        if left is None or right is None:
            return None
        if not (is_number(left) and is_number(right)) and not (isinstance(left, str) and isinstance(right, str)):
            raise FilterException(f"The operator '{symbol}' cannot be applied to {kind_of(left)} and {kind_of(right)}.")
        return bool(compare(left, right))

    return evaluate


COMPARISONS: dict[str, Operator] = {
    "=": equal,
    "<>": unequal,
    "!=": unequal,
    ">": _order(">", operator.gt),
    ">=": _order(">=", operator.ge),
    "<": _order("<", operator.lt),
    "<=": _order("<=", operator.le),
}


def _divide(left: Any, right: Any) -> Any:
    if isinstance(left, float) or isinstance(right, float):
        if right == 0:
            return math.nan if left == 0 or left != left else math.copysign(math.inf, left) * math.copysign(1.0, right)
        return left / right
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


def _remainder(left: Any, right: Any) -> Any:
    if isinstance(left, float) or isinstance(right, float):
        return math.nan if right == 0 or math.isinf(left) else math.fmod(left, right)
    rest = abs(left) % abs(right)
    return -rest if left < 0 else rest


_CALCULATIONS: dict[str, Operator] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _divide,
    "%": _remainder,
}


def _calculation(symbol: str, calculate: Operator) -> Operator:
    def evaluate(left: Any, right: Any) -> Any:
        if left is None or right is None:
            return None
        if not (is_number(left) and is_number(right)):
            if symbol == "+" and (isinstance(left, str) or isinstance(right, str)):
                return text(left) + text(right)
            raise FilterException(f"The operator '{symbol}' cannot be applied to {kind_of(left)} and {kind_of(right)}.")
        # subclasses that stand for AMQP's widths would come back as themselves in no operation but these
        a = float(left) if isinstance(left, float) else int(left)
        b = float(right) if isinstance(right, float) else int(right)
        try:
            return bounded(calculate(a, b))
        except ZeroDivisionError:
            raise FilterException("Attempted to divide by zero.") from None
        except OverflowError:
            raise FilterException("A number is too large for a double.") from None

    return evaluate


def bounded(value: Any) -> Any:
    """Return the value. Raises `FilterException` for an integer that 64 bits cannot hold."""
    if isinstance(value, int) and value not in INT64:
        raise FilterException("Arithmetic operation resulted in an overflow of 64 bits.")
    return value


CALCULATIONS = {symbol: _calculation(symbol, calculate) for symbol, calculate in _CALCULATIONS.items()}


def negative(value: Any) -> Any:
    """Evaluate the unary minus."""
    return CALCULATIONS["-"](0, value) if not isinstance(value, float) else -float(value)


def positive(value: Any) -> Any:
    """Evaluate the unary plus: nothing but a check."""
    return CALCULATIONS["+"](0, value) if not isinstance(value, str) else negative(value)


def text(value: Any) -> str:
    """Write a value as text."""
    if isinstance(value, bool):
        return "True" if value else "False"
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


@lru_cache(maxsize=1024)
def pattern(like: str, escape: str | None) -> tuple[str | None, ...]:
    """Take a LIKE pattern apart: "" for `%`, None for `_`, else the character. Raises `FilterException`."""
    if escape is not None and len(escape) != 1:
        raise FilterException(f"The escape character of LIKE is one character, not {escape!r}.")
    parts: list[str | None] = []
    characters = iter(like)
    for character in characters:
        if character == escape:
            following = next(characters, None)
            if following is None:
                raise FilterException(f"The LIKE pattern {like!r} ends with its escape character.")
            parts.append(following)
        elif character == "%":
            if not parts or parts[-1] != "":
                parts.append("")
        else:
            parts.append(None if character == "_" else character)
    return tuple(parts)


def matches(subject: str, parts: tuple[str | None, ...]) -> bool:
    """Match a text with a pattern; the time is bound by the product of their lengths, whatever the pattern."""
    at = index = 0
    back = mark = -1
    while at < len(subject):
        if index < len(parts) and parts[index] == "":
            back, mark = index, at
            index += 1
        elif index < len(parts) and (parts[index] is None or parts[index] == subject[at]):
            index += 1
            at += 1
        elif back >= 0:
            mark += 1
            index, at = back + 1, mark
        else:
            return False
    return all(part == "" for part in parts[index:])
