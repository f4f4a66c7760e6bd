"""Where values end: found by their lengths, without building them; all sizes are checked against the bytes that are there."""

from __future__ import annotations

import struct

from .errors import DecodeError

MAX_NESTING = 32
MAX_COUNT = 100_000
SHORT = "the bytes end in the middle of a value"
NO_READER = "0x{:02x} is not an AMQP type"
_u32 = struct.Struct(">I").unpack_from


def bounds(buf: bytes, pos: int, width: int) -> tuple[int, int, int]:
    """Read size and count of a list, map or array; return where items start, where they end and how many."""
    if width == 1:
        end, count, start = pos + 1 + buf[pos], buf[pos + 1], pos + 2
    else:
        end, count, start = pos + 4 + _u32(buf, pos)[0], _u32(buf, pos + 4)[0], pos + 8
    if end > len(buf) or start > end:
        raise DecodeError(SHORT)
    if count > MAX_COUNT:
        raise DecodeError(f"a list, map or array of {count} items is past the cap of {MAX_COUNT}")
    return start, end, count


_WIDTHS = {code: {0x4: 0, 0x5: 1, 0x6: 2, 0x7: 4, 0x8: 8, 0x9: 16}[code >> 4] for code in range(0x40, 0xA0)}
_SHORT_SIZED = frozenset(code for group in (0xA0, 0xC0, 0xE0) for code in range(group, group + 16))
_LONG_SIZED = frozenset(code for group in (0xB0, 0xD0, 0xF0) for code in range(group, group + 16))


def skip(buf: bytes, pos: int) -> int:
    """Return the position after the value at `pos` without building it. Raises `DecodeError`."""
    try:
        code = buf[pos]
        if code in _SHORT_SIZED:
            end = pos + 2 + buf[pos + 1]
        elif code in _LONG_SIZED:
            end = pos + 5 + int(_u32(buf, pos + 1)[0])
        elif code:
            end = pos + 1 + _WIDTHS[code]
        else:
            end = _skip_described(buf, pos)
    except KeyError:
        raise DecodeError(NO_READER.format(buf[pos])) from None
    except (IndexError, struct.error, RecursionError):
        raise DecodeError(SHORT) from None
    if end > len(buf):
        raise DecodeError(SHORT)
    return end


def _skip_described(buf: bytes, pos: int) -> int:
    for _ in range(MAX_NESTING):
        if buf[pos]:
            return skip(buf, pos)
        pos = skip(buf, pos + 1)
    raise DecodeError(f"values are nested deeper than {MAX_NESTING}")


def first_item(buf: bytes, pos: int) -> tuple[int, int]:
    """Return where the first item of the list at `pos` begins, and how many there are. Raises `DecodeError`."""
    try:
        kind = buf[pos]
        if kind == 0x45:
            return pos + 1, 0
        if kind not in (0xC0, 0xD0):
            raise DecodeError("a list was expected")
        start, end, count = bounds(buf, pos + 1, 1 if kind == 0xC0 else 4)
    except (IndexError, struct.error):
        raise DecodeError(SHORT) from None
    if count and start >= end:
        raise DecodeError(SHORT)
    return start, count


def slices(buf: bytes, pos: int) -> tuple[list[bytes], int]:
    """Cut the list or map at `pos` into the raw bytes of its items; return them and the position after it."""
    try:
        kind = buf[pos]
        if kind == 0x45:
            return [], pos + 1
        if kind in (0xC0, 0xC1):
            at, end, count = bounds(buf, pos + 1, 1)
        elif kind in (0xD0, 0xD1):
            at, end, count = bounds(buf, pos + 1, 4)
        else:
            raise DecodeError("a list or map was expected")
    except (IndexError, struct.error):
        raise DecodeError(SHORT) from None
    items = []
    for _ in range(count):
        after = skip(buf, at)
        items.append(bytes(buf[at:after]))
        at = after
    if at != end:
        raise DecodeError("a list's or map's size does not match its items")
    return items, end
