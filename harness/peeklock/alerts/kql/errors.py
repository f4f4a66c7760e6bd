"""What is wrong in a log query."""

from __future__ import annotations

from peeklock.errors import PeeklockError


class KqlError(PeeklockError):
    """A log query that is outside of the subset, or not a query: the place as `line:column`, and what is possible there."""


def place(text: str, offset: int) -> str:
    """Return `line:column`, both 1-based, of an offset in a query."""
    before = text[:offset]
    return f"{before.count(chr(10)) + 1}:{offset - (before.rfind(chr(10)) + 1) + 1}"
