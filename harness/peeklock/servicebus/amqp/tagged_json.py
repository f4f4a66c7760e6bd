"""AMQP values as JSON that keeps their types: `5`, `{"int": 5}`, `{"timestamp": "2026-01-31T10:00:00.000Z"}`.

What JSON has a word for stands as it is (text, whole numbers as long, other numbers as double, true, false, null).
Everything else is an object with one key, the name of its AMQP type.
"""

from __future__ import annotations

import base64
import math
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from . import decode
from .encode import encode
from .errors import DecodeError
from .types import Byte, Char, Decimal, Float, Int, Short, Symbol, Timestamp, UByte, UInt, ULong, UShort

_INTEGERS: dict[str, tuple[type[int], int, int]] = {
    "ubyte": (UByte, 0, 2**8 - 1),
    "ushort": (UShort, 0, 2**16 - 1),
    "uint": (UInt, 0, 2**32 - 1),
    "ulong": (ULong, 0, 2**64 - 1),
    "byte": (Byte, -(2**7), 2**7 - 1),
    "short": (Short, -(2**15), 2**15 - 1),
    "int": (Int, -(2**31), 2**31 - 1),
}
_NAMES = {kind: name for name, (kind, _, _) in _INTEGERS.items()}
_LONG = 2**63
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TAGS = (*_INTEGERS, "float", "double", "char", "symbol", "timestamp", "uuid", "binary", "decimal", "amqp")
"""Every name that an object with one key may have; `amqp` is for what has none: base64 of the encoded value."""


class UntaggedValue(ValueError):
    """JSON that is no AMQP value; the text says what is expected."""


def tag(value: Any) -> Any:
    """Return a value, decoded with its exact AMQP type, as JSON."""
    kind = type(value)
    if value is None or isinstance(value, bool) or kind is str:
        return value
    if kind in _NAMES:
        return {_NAMES[kind]: int(value)}
    if isinstance(value, Timestamp):
        return {"timestamp": _time(value)}
    if isinstance(value, Float | float):
        name = "float" if isinstance(value, Float) else "double"
        return float(value) if name == "double" and math.isfinite(value) else {name: _number(value)}
    if isinstance(value, Symbol | Char):
        return {"symbol" if isinstance(value, Symbol) else "char": str(value)}
    if isinstance(value, uuid.UUID):
        return {"uuid": str(value)}
    if isinstance(value, bytes):
        return {"decimal" if isinstance(value, Decimal) else "binary": base64.b64encode(value).decode()}
    return int(value) if isinstance(value, int) else {"amqp": base64.b64encode(encode(value)).decode()}


def untag(given: Any) -> Any:
    """Return the value with its AMQP type. Raises `UntaggedValue`."""
    if given is None or isinstance(given, bool | str | float):
        return given
    if isinstance(given, int):
        return _within(given, -_LONG, _LONG - 1, "a 64-bit number")
    if not isinstance(given, dict) or len(given) != 1:
        raise UntaggedValue("text, a number, true, false, null, or one key for its AMQP type, as in {int: 5}")
    ((name, value),) = given.items()
    if name in _INTEGERS:
        kind, least, most = _INTEGERS[name]
        return kind(_within(value, least, most, name))
    try:
        return _READ[name](value)
    except KeyError:
        raise UntaggedValue("one of the AMQP types " + ", ".join(TAGS)) from None
    except UntaggedValue:
        raise
    except (ValueError, TypeError, AttributeError, OverflowError, DecodeError):
        raise UntaggedValue(_EXPECTED[name]) from None


def _within(value: Any, least: int, most: int, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise UntaggedValue(f"{what}: a whole number from {least} to {most}")
    return value


def _number(value: float) -> float | str:
    return float(value) if math.isfinite(value) else str(float(value))


def _time(milliseconds: int) -> str | int:
    try:
        at = _EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:
        return int(milliseconds)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _timestamp(value: Any) -> Timestamp:
    if isinstance(value, int) and not isinstance(value, bool):
        return Timestamp(_within(value, -_LONG, _LONG - 1, "milliseconds"))
    return Timestamp((datetime.fromisoformat(value) - _EPOCH) // timedelta(milliseconds=1))  # TypeError without a zone


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise UntaggedValue("text")
    return value


def _bytes(value: Any) -> bytes:
    return base64.b64decode(_text(value), validate=True)


def _decimal(value: Any) -> Decimal:
    raw = _bytes(value)
    if len(raw) not in (4, 8, 16):
        raise ValueError
    return Decimal(raw)


def _char(value: Any) -> Char:
    ord(value)
    return Char(value)


def _encoded(value: Any) -> Any:
    raw = _bytes(value)
    read, end = decode.value(raw)
    if end != len(raw):
        raise ValueError
    return read


_READ: dict[str, Any] = {
    "float": lambda value: Float(float(value)),
    "double": float,
    "char": _char,
    "symbol": lambda value: Symbol(_text(value).encode("ascii").decode()),
    "timestamp": _timestamp,
    "uuid": lambda value: uuid.UUID(_text(value)),
    "binary": _bytes,
    "decimal": _decimal,
    "amqp": _encoded,
}
_EXPECTED = {
    "float": "a number",
    "double": "a number, or nan, inf, -inf as text",
    "char": "one character",
    "symbol": "ASCII text",
    "timestamp": "a time with its zone, as 2026-01-31T10:00:00.000Z, or milliseconds since 1970",
    "uuid": "a UUID",
    "binary": "base64",
    "decimal": "base64 of 4, 8 or 16 bytes",
    "amqp": "base64 of one encoded AMQP value",
}
