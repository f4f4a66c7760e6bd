"""The protocol of a matcher and what it says when it does not match."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from peeklock.errors import PeeklockError

DataPath = tuple[str | int, ...]


class _Absent:
    def __repr__(self) -> str:
        return "absent"


ABSENT: Final = _Absent()
"""The value of a key that is not there."""


class MatcherInvalid(PeeklockError, ValueError):
    """An expectation that cannot be understood; `path` leads from the expectation to the place."""

    def __init__(
        self, path: DataPath, message: str, *, expected: str = "", fix: str = "", at_key: bool = False
    ) -> None:
        super().__init__(message, expected=expected, fix=fix)
        self.path, self.at_key = path, at_key


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One place where the actual value is not what was expected."""

    path: str
    """Where in the actual value, as in `body.items[0].id`; empty for the whole."""
    expected: str
    actual: str
    source: DataPath
    """Where in the expectation, so that a caret can be put below it."""


@dataclass(frozen=True)
class Context:
    """What matching needs besides the value."""

    resolve: Callable[[Any], Any] = lambda value: value
    """Looks up the `${…}` in a literal."""
    folder: Path = field(default_factory=Path)
    """Where relative paths start."""
    update_snapshots: bool = False


class Matcher(Protocol):
    """`match` returns every mismatch, none when the value is right. `describe` names what is expected, in a few words."""

    def match(self, actual: Any, context: Context, at: str) -> list[Mismatch]: ...
    def describe(self, context: Context) -> str: ...


_LONGEST = 200


def show(value: Any) -> str:
    """Return a value as JSON on one line, cut to a readable length."""
    if value is ABSENT:
        return "absent"
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except (TypeError, ValueError):
        text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text)} characters)"


def step_into(at: str, key: str | int) -> str:
    """Return the path one level deeper."""
    if isinstance(key, int):
        return f"{at}[{key}]"
    return f"{at}.{key}" if at else key
