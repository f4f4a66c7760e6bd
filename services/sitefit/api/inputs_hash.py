"""One digest for the same inputs, however they were written down."""

from __future__ import annotations

import hashlib
from typing import Any

import rfc8785


class UnhashableInputsError(Exception):
    """The inputs hold a number that JSON cannot carry from one program to another (NaN, or beyond 2^53)."""


def inputs_hash(inputs: dict[str, Any]) -> str:
    """Return the SHA-256 (hex) of ``inputs`` in canonical JSON (RFC 8785): neither the order of keys nor 1 against 1.0 counts.

    Raises :class:`UnhashableInputsError`.
    """
    try:
        return hashlib.sha256(rfc8785.dumps(inputs)).hexdigest()
    except rfc8785.CanonicalizationError as error:
        raise UnhashableInputsError(str(error)) from error
