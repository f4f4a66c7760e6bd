"""Values to bytes: every AMQP 1.0 type, always the smallest form that every known client reads."""

# ruff: noqa: ARG005 -- all writers of the dispatch table have one signature
from __future__ import annotations

import struct
import uuid
from collections.abc import Callable, Iterable
from typing import Any

from . import types as t

_u32 = struct.Struct(">I").pack
_i32 = struct.Struct(">i").pack
_u64 = struct.Struct(">Q").pack
_i64 = struct.Struct(">q").pack


def _sized(small: int, raw: bytes) -> bytes:
    """Prefix `raw` with the 1-byte or the 4-byte length form of the constructor `small`."""
    size = len(raw)
    if size < 256:
        return bytes((small, size)) + raw
    return bytes((small + 0x10,)) + _u32(size) + raw


def _uint(number: int) -> bytes:
    if number == 0:
        return b"\x43"
    return bytes((0x52, number)) if number < 256 else b"\x70" + _u32(number)


def _ulong(number: int) -> bytes:
    if number == 0:
        return b"\x44"
    return bytes((0x53, number)) if number < 256 else b"\x80" + _u64(number)


def _int(number: int) -> bytes:
    return b"\x54" + struct.pack(">b", number) if -128 <= number < 128 else b"\x71" + _i32(number)


def _long(number: int) -> bytes:
    return b"\x55" + struct.pack(">b", number) if -128 <= number < 128 else b"\x81" + _i64(number)


def compound(kind: int, items: Iterable[bytes]) -> bytes:
    """Build a list (`kind` 0xC0) or a map (0xC1) out of items that are encoded already; a map's count is of both."""
    parts = list(items)
    raw = b"".join(parts)
    size, count = len(raw), len(parts)
    if size < 255 and count < 256:
        return bytes((kind, size + 1, count)) + raw
    return bytes((kind + 0x10,)) + _u32(size + 4) + _u32(count) + raw


def _list(items: Any) -> bytes:
    return compound(0xC0, [encode(item) for item in items])


def _map(items: dict[Any, Any]) -> bytes:
    return compound(0xC1, [encode(part) for pair in items.items() for part in pair])


_WIDE: dict[int, Callable[[Any], bytes]] = {
    0x40: lambda v: b"",
    0x41: lambda v: b"",
    0x42: lambda v: b"",
    0x43: lambda v: b"",
    0x44: lambda v: b"",
    0x45: lambda v: b"",
    0x50: lambda v: struct.pack(">B", v),
    0x51: lambda v: struct.pack(">b", v),
    0x52: lambda v: struct.pack(">B", v),
    0x53: lambda v: struct.pack(">B", v),
    0x54: lambda v: struct.pack(">b", v),
    0x55: lambda v: struct.pack(">b", v),
    0x56: lambda v: b"\x01" if v else b"\x00",
    0x60: lambda v: struct.pack(">H", v),
    0x61: lambda v: struct.pack(">h", v),
    0x70: _u32,
    0x71: _i32,
    0x72: lambda v: struct.pack(">f", v),
    0x73: lambda v: _u32(ord(v)),
    0x74: bytes,
    0x80: _u64,
    0x81: _i64,
    0x82: lambda v: struct.pack(">d", v),
    0x83: _i64,
    0x84: bytes,
    0x94: bytes,
    0x98: lambda v: bytes(v.bytes),
    0xA0: lambda v: bytes((len(v),)) + v,
    0xB0: lambda v: _u32(len(v)) + v,
}


def _text_element(width: int) -> Callable[[Any], bytes]:
    def write(item: str) -> bytes:
        raw = item.encode()
        return (bytes((len(raw),)) if width == 1 else _u32(len(raw))) + raw

    return write


def _compound_element(code: int) -> Callable[[Any], bytes]:
    def write(item: Any) -> bytes:
        parts = [encode(p) for p in item] if code & 1 == 0 else [encode(p) for pair in item.items() for p in pair]
        raw = b"".join(parts)
        if code < 0xD0:
            return bytes((len(raw) + 1, len(parts))) + raw
        return _u32(len(raw) + 4) + _u32(len(parts)) + raw

    return write


def _array_element(code: int) -> Callable[[Any], bytes]:
    def write(item: Any) -> bytes:
        raw = _array_body(item)
        if code == 0xE0:
            return bytes((len(raw) + 1, len(item))) + raw
        return _u32(len(raw) + 4) + _u32(len(item)) + raw

    return write


for _code in (0xA1, 0xA3):
    _WIDE[_code] = _text_element(1)
for _code in (0xB1, 0xB3):
    _WIDE[_code] = _text_element(4)
for _code in (0xC0, 0xC1, 0xD0, 0xD1):
    _WIDE[_code] = _compound_element(_code)
for _code in (0xE0, 0xF0):
    _WIDE[_code] = _array_element(_code)


def _array_body(items: t.Array) -> bytes:
    head = bytes((items.code,))
    if items.descriptor is not None:
        head = b"\x00" + encode(items.descriptor) + head
    write = _WIDE[items.code]
    return head + b"".join([write(item) for item in items])


def _array(items: t.Array) -> bytes:
    raw = _array_body(items)
    if len(raw) < 255 and len(items) < 256:
        return bytes((0xE0, len(raw) + 1, len(items))) + raw
    return b"\xf0" + _u32(len(raw) + 4) + _u32(len(items)) + raw


_ENCODERS: dict[type, Callable[[Any], bytes]] = {
    type(None): lambda v: b"\x40",
    bool: lambda v: b"\x41" if v else b"\x42",
    int: _long,
    float: lambda v: b"\x82" + struct.pack(">d", v),
    str: lambda v: _sized(0xA1, v.encode()),
    bytes: lambda v: _sized(0xA0, v),
    bytearray: lambda v: _sized(0xA0, bytes(v)),
    memoryview: lambda v: _sized(0xA0, bytes(v)),
    uuid.UUID: lambda v: b"\x98" + v.bytes,
    list: _list,
    tuple: _list,
    dict: _map,
    t.Symbol: lambda v: _sized(0xA3, v.encode()),
    t.UByte: lambda v: bytes((0x50, v)),
    t.UShort: lambda v: b"\x60" + struct.pack(">H", v),
    t.UInt: _uint,
    t.ULong: _ulong,
    t.Byte: lambda v: b"\x51" + struct.pack(">b", v),
    t.Short: lambda v: b"\x61" + struct.pack(">h", v),
    t.Int: _int,
    t.Long: _long,
    t.Timestamp: lambda v: b"\x83" + _i64(v),
    t.Float: lambda v: b"\x72" + struct.pack(">f", v),
    t.Char: lambda v: b"\x73" + _u32(ord(v)),
    t.Decimal: lambda v: {4: b"\x74", 8: b"\x84", 16: b"\x94"}[len(v)] + bytes(v),
    t.Described: lambda v: b"\x00" + encode(v.descriptor) + encode(v.value),
    t.Array: _array,
}


def encode(value: Any) -> bytes:
    """Encode one value; plain int is long, plain float double, str string. Raises `TypeError` for other types."""
    try:
        encoder = _ENCODERS[type(value)]
    except KeyError:
        raise TypeError(f"{type(value).__name__} has no AMQP type") from None
    return encoder(value)


def described(code: int, *fields: Any) -> bytes:
    """Encode a composite: smallulong descriptor, then *every* field, nulls included (older SDKs index by position)."""
    return bytes((0x00, 0x53, code)) + _list(fields)
