"""What a view of the page is to its server: what it may ask for, what it may have done; and how a request says which."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from peeklock.errors import PeeklockError

Query = Mapping[str, str]
Document = Mapping[str, Any]


class View(Protocol):
    """One of them. Everything may be called in any thread, and raises `PeeklockError` for what cannot be done."""

    @property
    def looks(self) -> Mapping[str, Callable[[Query], Any]]:
        """What changes nothing, by its path below `/api/`."""

    @property
    def acts(self) -> Mapping[str, Callable[[Document], Any]]:
        """What does, by its path below `/api/`."""


class Refused(PeeklockError):
    """An answer other than 200."""

    def __init__(self, status: int, problem: str, fix: str = "") -> None:
        super().__init__(problem, fix=fix)
        self.status = status


def said(given: Mapping[str, Any], name: str) -> str:
    """Return a text that has to be there."""
    value = given.get(name)
    if not isinstance(value, str) or not value:
        raise Refused(400, f"{name}: expected a text")
    return value


def whole(query: Query, name: str, default: int) -> int:
    """Return a whole number from 0."""
    text = query.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise Refused(400, f"{name}: expected a whole number from 0")
    return int(text)
