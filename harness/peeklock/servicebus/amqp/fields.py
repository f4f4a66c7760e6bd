"""What the fields of a performative may be: a peer may write anything."""

from __future__ import annotations

from typing import Any

from .errors import INVALID_FIELD, ProtocolError

UINT = 0xFFFFFFFF
ULONG = 0xFFFFFFFFFFFFFFFF


def uint(value: Any, default: int = 0, most: int = UINT) -> int:
    """Return an unsigned number, `default` in the place of null. Raises `ProtocolError` for anything else."""
    if value is None:
        return default
    if isinstance(value, int) and value is not True and value is not False and 0 <= value <= most:
        return value
    raise ProtocolError(INVALID_FIELD, f"a field is {str(value)[:40]!r}, which is no number from 0 to {most}")
