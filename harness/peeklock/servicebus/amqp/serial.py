"""Serial numbers of RFC 1982 as AMQP 1.0 uses them: counters that wrap at 2^32."""

from __future__ import annotations

MASK = 0xFFFFFFFF
_HALF = 0x80000000


def add(serial: int, step: int) -> int:
    """Return `serial` moved by `step`, wrapped to 32 bits."""
    return (serial + step) & MASK


def distance(start: int, end: int) -> int:
    """Return how far `end` lies after `start`: in -2^31 .. 2^31-1, negative when `end` comes first."""
    return ((end - start + _HALF) & MASK) - _HALF
