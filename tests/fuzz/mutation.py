"""How bytes on their way are spoilt: blindly, and where it hurts an AMQP parser most."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable

_BYTES = (
    0x00,
    0x01,
    0x40,
    0x43,
    0x44,
    0x45,
    0x53,
    0x7F,
    0x80,
    0xA0,
    0xA1,
    0xB0,
    0xC0,
    0xC1,
    0xD0,
    0xD1,
    0xE0,
    0xF0,
    0xFF,
)
_NUMBERS = (0, 1, 7, 8, 0x7F, 0xFF, 0x100, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
_PERFORMATIVES = bytes((*range(0x10, 0x19), *range(0x40, 0x45), *range(0x23, 0x36), *range(0x70, 0x79)))
_HEAD = 8


def frames_of(data: bytes) -> list[bytes]:
    """Cut what a client says into protocol headers and frames; what is no frame stays in one piece."""
    found, pos = [], 0
    while pos < len(data):
        size = 8 if data.startswith(b"AMQP", pos) else int.from_bytes(data[pos : pos + 4], "big")
        size = size if 8 <= size <= len(data) - pos else len(data) - pos
        found.append(data[pos : pos + size])
        pos += size
    return found


def _flip(raw: bytearray, rng: random.Random) -> None:
    raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)


def _set(raw: bytearray, rng: random.Random) -> None:
    raw[rng.randrange(len(raw))] = rng.choice(_BYTES)


def _number(raw: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(raw))
    raw[at : at + 4] = struct.pack(">I", rng.choice(_NUMBERS))


def _cut(raw: bytearray, rng: random.Random) -> None:
    start = rng.randrange(len(raw))
    del raw[start : start + rng.choice((1, 2, 4, 16, len(raw)))]


def _insert(raw: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(raw) + 1)
    raw[at:at] = bytes(rng.choice(_BYTES) for _ in range(rng.choice((1, 1, 2, 4, 30))))


def _repeat(raw: bytearray, rng: random.Random) -> None:
    start = rng.randrange(len(raw))
    part = raw[start : start + rng.randrange(1, 40)]
    raw[start:start] = part * rng.choice((1, 2, 200))


def _performative(raw: bytearray, rng: random.Random) -> None:
    if len(raw) > _HEAD + 2:
        raw[_HEAD + 2] = rng.choice(_PERFORMATIVES)


def _channel(raw: bytearray, rng: random.Random) -> None:
    raw[6:8] = struct.pack(">H", rng.choice((0, 1, 2, 255, 65535)))


def _nest(raw: bytearray, rng: random.Random) -> None:
    """Lists in lists in lists, deeper than any stack."""
    at = rng.randrange(_HEAD, len(raw) + 1) if len(raw) > _HEAD else len(raw)
    depth = rng.choice((5, 40, 2_000))
    raw[at:at] = b"".join(b"\xd0" + struct.pack(">II", 8 + 9 * (depth - n), 1) for n in range(depth))


def _many(raw: bytearray, rng: random.Random) -> None:
    """An array of four billion items that take no room."""
    at = rng.randrange(_HEAD, len(raw) + 1) if len(raw) > _HEAD else len(raw)
    raw[at:at] = (
        b"\xf0" + struct.pack(">II", 5, rng.choice(_NUMBERS)) + rng.choice((b"\x40", b"\x43", b"\x41", b"\x45"))
    )


MUTATIONS: tuple[Callable[[bytearray, random.Random], None], ...] = (
    _flip, _flip, _set, _set, _number, _number, _cut, _insert, _repeat, _performative, _channel, _nest, _many,
)  # fmt: skip


def mutated(frame: bytes, rng: random.Random) -> bytes:
    """Return a frame with one to three things wrong; its length is put right again three times out of four, so that what is
    wrong inside is looked at."""
    raw = bytearray(frame)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        if raw:
            rng.choice(MUTATIONS)(raw, rng)
    if len(raw) >= _HEAD and not frame.startswith(b"AMQP") and rng.random() < 0.75:
        raw[:4] = struct.pack(">I", len(raw))
    return bytes(raw)
