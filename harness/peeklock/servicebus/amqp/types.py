"""Python stand-ins for the AMQP 1.0 types that have no natural Python type.

Natural: None, bool, bytes (binary), str (string), list, dict (map), `uuid.UUID`, float (double).
Every other AMQP type has a small subclass here, so that what was decoded encodes to the same type again.
"""

from __future__ import annotations

from typing import Any


class Symbol(str):
    """An AMQP symbol: ASCII text, equal to the same `str`."""

    __slots__ = ()


class UByte(int):
    """0 .. 2^8-1."""

    __slots__ = ()


class UShort(int):
    """0 .. 2^16-1."""

    __slots__ = ()


class UInt(int):
    """0 .. 2^32-1."""

    __slots__ = ()


class ULong(int):
    """0 .. 2^64-1."""

    __slots__ = ()


class Byte(int):
    """-2^7 .. 2^7-1."""

    __slots__ = ()


class Short(int):
    """-2^15 .. 2^15-1."""

    __slots__ = ()


class Int(int):
    """-2^31 .. 2^31-1."""

    __slots__ = ()


class Long(int):
    """-2^63 .. 2^63-1; a plain Python int encodes as this."""

    __slots__ = ()


class Timestamp(int):
    """Milliseconds since 1970-01-01 UTC."""

    __slots__ = ()


class Float(float):
    """IEEE 754 binary32; a plain Python float encodes as double."""

    __slots__ = ()


class Char(str):
    """One Unicode code point."""

    __slots__ = ()


class Decimal(bytes):
    """decimal32, decimal64 or decimal128 (4, 8 or 16 bytes), passed through as it came."""

    __slots__ = ()


class Described:
    """A value with a descriptor, such as a filter or `com.microsoft:timespan`."""

    __slots__ = ("descriptor", "value")

    def __init__(self, descriptor: Any, value: Any) -> None:
        self.descriptor = descriptor
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Described) and (self.descriptor, self.value) == (other.descriptor, other.value)

    def __hash__(self) -> int:
        return hash((Described, self.descriptor))

    def __repr__(self) -> str:
        return f"Described({self.descriptor!r}, {self.value!r})"


class Array(list[Any]):
    """An AMQP array: elements of one type; `code` is the constructor on the wire, `descriptor` that of its elements."""

    __slots__ = ("code", "descriptor")

    def __init__(self, items: Any, code: int, descriptor: Any = None) -> None:
        super().__init__(items)
        self.code = code
        self.descriptor = descriptor

    @classmethod
    def symbols(cls, *items: str) -> Array:
        """An array of symbols: how SASL mechanisms must be listed (S-2)."""
        return cls([Symbol(item) for item in items], 0xA3)

    @classmethod
    def longs(cls, items: Any) -> Array:
        """An array of 64-bit integers, as `sequence-numbers` are."""
        return cls(items, 0x81)

    @classmethod
    def timestamps(cls, items: Any) -> Array:
        """An array of timestamps (milliseconds), as `expirations` are."""
        return cls(items, 0x83)
