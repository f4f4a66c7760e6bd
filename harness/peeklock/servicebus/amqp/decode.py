"""Bytes to values: every AMQP 1.0 type, with caps on size, count and nesting.

`value` keeps the AMQP type (wrappers of `types`); `fields` reads the list of a performative into plain Python
values and is the hot path.
"""

# ruff: noqa: ARG001, ARG005 -- all readers of the dispatch table have one signature
from __future__ import annotations

import struct
import uuid
from collections.abc import Callable
from typing import Any

from . import types as t
from .errors import DecodeError
from .scan import MAX_NESTING, NO_READER, SHORT, bounds

_u16 = struct.Struct(">H").unpack_from
_i16 = struct.Struct(">h").unpack_from
_u32 = struct.Struct(">I").unpack_from
_i32 = struct.Struct(">i").unpack_from
_u64 = struct.Struct(">Q").unpack_from
_i64 = struct.Struct(">q").unpack_from
_f32 = struct.Struct(">f").unpack_from
_f64 = struct.Struct(">d").unpack_from
_i8 = struct.Struct(">b").unpack_from

Reader = Callable[[bytes, int, int], tuple[Any, int]]


def _unknown(buf: bytes, pos: int, depth: int) -> tuple[Any, int]:
    raise DecodeError(NO_READER.format(buf[pos - 1] if pos else 0))


def _constant(result: Any) -> Reader:
    return lambda buf, pos, depth: (result, pos)


def _fixed(unpack: Callable[..., Any], width: int, wrap: Callable[[Any], Any] | None) -> Reader:
    if wrap is None:
        return lambda buf, pos, depth: (unpack(buf, pos)[0], pos + width)
    return lambda buf, pos, depth: (wrap(unpack(buf, pos)[0]), pos + width)


def _raw(width: int, build: Callable[[bytes], Any]) -> Reader:
    def read(buf: bytes, pos: int, depth: int) -> tuple[Any, int]:
        end = pos + width
        if end > len(buf):
            raise DecodeError(SHORT)
        return build(bytes(buf[pos:end])), end

    return read


def _sized(width: int, build: Callable[[bytes], Any]) -> Reader:
    def read(buf: bytes, pos: int, depth: int) -> tuple[Any, int]:
        if width == 1:
            start = pos + 1
            end = start + buf[pos]
        else:
            start = pos + 4
            end = start + _u32(buf, pos)[0]
        if end > len(buf):
            raise DecodeError(SHORT)
        return build(bytes(buf[start:end])), end

    return read


def _text(raw: bytes) -> str:
    return raw.decode("utf-8")


def _symbol(raw: bytes) -> t.Symbol:
    return t.Symbol(raw.decode("utf-8"))


def _plain_symbol(raw: bytes) -> str:
    return raw.decode("utf-8")


def _char(code: int) -> t.Char:
    return t.Char(chr(code))


def _uuid(raw: bytes) -> uuid.UUID:
    return uuid.UUID(bytes=raw)


def _boolean(buf: bytes, pos: int, depth: int) -> tuple[Any, int]:
    return buf[pos] != 0, pos + 1


def _check_depth(depth: int) -> None:
    if depth > MAX_NESTING:
        raise DecodeError(f"values are nested deeper than {MAX_NESTING}")


def _hashable(key: Any) -> Any:
    try:
        hash(key)
    except TypeError:
        raise DecodeError("a map key is a list, a map or an array") from None
    return key


def _table(exact: bool) -> list[Reader]:
    """Build the dispatch table by constructor byte; `exact` keeps integer widths and symbols apart."""

    def wrap(kind: Callable[[Any], Any]) -> Callable[[Any], Any] | None:
        return kind if exact else None

    table: list[Reader] = [_unknown] * 256

    def listing(width: int) -> Reader:
        def read(buf: bytes, pos: int, depth: int) -> tuple[Any, int]:
            _check_depth(depth)
            at, end, count = bounds(buf, pos, width)
            items = []
            for _ in range(count):
                item, at = table[buf[at]](buf, at + 1, depth + 1)
                items.append(item)
            if at != end:
                raise DecodeError("a list's size does not match its items")
            return items, end

        return read

    def mapping(width: int) -> Reader:
        def read(buf: bytes, pos: int, depth: int) -> tuple[Any, int]:
            _check_depth(depth)
            at, end, count = bounds(buf, pos, width)
            if count & 1:
                raise DecodeError("a map has a key without a value")
            items = {}
            for _ in range(count >> 1):
                key, at = table[buf[at]](buf, at + 1, depth + 1)
                items[_hashable(key)], at = table[buf[at]](buf, at + 1, depth + 1)
            if at != end:
                raise DecodeError("a map's size does not match its items")
            return items, end

        return read

    def array(width: int) -> Reader:
        def read(buf: bytes, pos: int, depth: int) -> tuple[Any, int]:
            _check_depth(depth)
            at, end, count = bounds(buf, pos, width)
            if at == end and count == 0:
                return t.Array([], 0x40), end
            code = buf[at]
            at += 1
            descriptor = None
            if code == 0:
                descriptor, at = table[buf[at]](buf, at + 1, depth + 1)
                code = buf[at]
                at += 1
            # elements of no width (null, true, list0 …) would let 9 bytes ask for any number of objects
            if code < 0x50 and count > 256:
                raise DecodeError("an array of empty elements is past the cap of 256")
            reader = table[code]
            items = []
            for _ in range(count):
                item, at = reader(buf, at, depth + 1)
                items.append(item)
            if at != end:
                raise DecodeError("an array's size does not match its items")
            return t.Array(items, code, descriptor), end

        return read

    def described(buf: bytes, pos: int, depth: int) -> tuple[Any, int]:
        _check_depth(depth)
        descriptor, pos = table[buf[pos]](buf, pos + 1, depth + 1)
        inner, pos = table[buf[pos]](buf, pos + 1, depth + 1)
        return t.Described(descriptor, inner), pos

    table[0x00] = described
    table[0x40] = _constant(None)
    table[0x41] = _constant(True)
    table[0x42] = _constant(False)
    table[0x43] = _constant(t.UInt(0) if exact else 0)
    table[0x44] = _constant(t.ULong(0) if exact else 0)
    table[0x45] = lambda buf, pos, depth: ([], pos)
    byte = struct.Struct("B").unpack_from
    table[0x50] = _fixed(byte, 1, wrap(t.UByte))
    table[0x51] = _fixed(_i8, 1, wrap(t.Byte))
    table[0x52] = _fixed(byte, 1, wrap(t.UInt))
    table[0x53] = _fixed(byte, 1, wrap(t.ULong))
    table[0x54] = _fixed(_i8, 1, wrap(t.Int))
    table[0x55] = _fixed(_i8, 1, wrap(t.Long))
    table[0x56] = _boolean
    table[0x60] = _fixed(_u16, 2, wrap(t.UShort))
    table[0x61] = _fixed(_i16, 2, wrap(t.Short))
    table[0x70] = _fixed(_u32, 4, wrap(t.UInt))
    table[0x71] = _fixed(_i32, 4, wrap(t.Int))
    table[0x72] = _fixed(_f32, 4, wrap(t.Float))
    table[0x73] = _fixed(_u32, 4, _char)
    table[0x74] = _raw(4, t.Decimal)
    table[0x80] = _fixed(_u64, 8, wrap(t.ULong))
    table[0x81] = _fixed(_i64, 8, wrap(t.Long))
    table[0x82] = _fixed(_f64, 8, None)
    table[0x83] = _fixed(_i64, 8, wrap(t.Timestamp))
    table[0x84] = _raw(8, t.Decimal)
    table[0x94] = _raw(16, t.Decimal)
    table[0x98] = _raw(16, _uuid)
    table[0xA0], table[0xB0] = _sized(1, bytes), _sized(4, bytes)
    table[0xA1], table[0xB1] = _sized(1, _text), _sized(4, _text)
    symbol = _symbol if exact else _plain_symbol
    table[0xA3], table[0xB3] = _sized(1, symbol), _sized(4, symbol)
    table[0xC0], table[0xD0] = listing(1), listing(4)
    table[0xC1], table[0xD1] = mapping(1), mapping(4)
    table[0xE0], table[0xF0] = array(1), array(4)
    return table


_EXACT = _table(exact=True)
_PLAIN = _table(exact=False)
_READ_ERRORS = (IndexError, struct.error, UnicodeDecodeError, ValueError, OverflowError)


def value(buf: bytes, pos: int = 0) -> tuple[Any, int]:
    """Read one value with its exact AMQP type; return it and the position after it. Raises `DecodeError`."""
    try:
        return _EXACT[buf[pos]](buf, pos + 1, 0)
    except DecodeError:
        raise
    except _READ_ERRORS as error:
        raise DecodeError(SHORT if isinstance(error, (IndexError, struct.error)) else str(error)) from None


def plain(buf: bytes, pos: int = 0) -> tuple[Any, int]:
    """Read one value into plain Python types (integers lose their width, symbols become str). Raises `DecodeError`."""
    try:
        return _PLAIN[buf[pos]](buf, pos + 1, 0)
    except DecodeError:
        raise
    except _READ_ERRORS as error:
        raise DecodeError(SHORT if isinstance(error, (IndexError, struct.error)) else str(error)) from None


def descriptor(buf: bytes, pos: int) -> tuple[int, int]:
    """Read `0x00` and a numeric descriptor at `pos`; return the low byte of the code and the position after it."""
    try:
        if buf[pos] != 0:
            raise DecodeError("a described value was expected")
        if buf[pos + 1] == 0x53:
            return buf[pos + 2], pos + 3
    except IndexError:
        raise DecodeError(SHORT) from None
    code, pos = plain(buf, pos + 1)
    if not isinstance(code, int) or not 0 <= code <= 0xFF:
        raise DecodeError("the descriptor is not one of AMQP 1.0")
    return code, pos


def fields(buf: bytes, pos: int) -> tuple[list[Any], int]:
    """Read the list at `pos` into plain values; return it and the position after it. Raises `DecodeError`.

    The common constructors are read in line: a transfer has 11 fields and a call for each would be half of its cost.
    """
    try:
        kind = buf[pos]
        if kind == 0x45:
            return [], pos + 1
        if kind == 0xC0:
            at, end, count = bounds(buf, pos + 1, 1)
        elif kind == 0xD0:
            at, end, count = bounds(buf, pos + 1, 4)
        else:
            raise DecodeError("a list of fields was expected")
        items: list[Any] = []
        add = items.append
        for _ in range(count):
            code = buf[at]
            if code == 0x40:
                add(None)
                at += 1
            elif code == 0x52:
                add(buf[at + 1])
                at += 2
            elif code == 0x43:
                add(0)
                at += 1
            elif code == 0x42:
                add(False)
                at += 1
            elif code == 0x41:
                add(True)
                at += 1
            elif code == 0x70:
                add(_u32(buf, at + 1)[0])
                at += 5
            elif code == 0x56:
                add(buf[at + 1] != 0)
                at += 2
            elif code == 0xA0:
                start = at + 2
                at = start + buf[at + 1]
                if at > end:
                    raise DecodeError(SHORT)
                add(buf[start:at])
            elif code == 0 and buf[at + 1] == 0x53 and buf[at + 3] == 0x45:
                add(t.Described(buf[at + 2], []))  # an outcome without fields: accepted or released
                at += 4
            elif code == 0 and buf[at + 1] == 0x53 and buf[at + 3 : at + 6] == b"\xc0\x01\x00":
                add(t.Described(buf[at + 2], []))
                at += 6
            else:
                item, at = _PLAIN[code](buf, at + 1, 1)
                add(item)
    except DecodeError:
        raise
    except _READ_ERRORS as error:
        raise DecodeError(SHORT if isinstance(error, (IndexError, struct.error)) else str(error)) from None
    if at != end:
        raise DecodeError("a list's size does not match its items")
    return items, end
