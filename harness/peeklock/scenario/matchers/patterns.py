"""Regular expressions of the user's: each is decided within a second, or told of. Costs 19 ms to import."""

from __future__ import annotations

import regex

from peeklock.errors import PeeklockError

LONGEST = 1.0
"""Seconds that one search may take."""


class PatternTooSlow(PeeklockError):
    """A regular expression that was not decided in time."""

    def __init__(self, pattern: str, text: str) -> None:
        super().__init__(
            f"the regular expression /{pattern}/ was not decided within {LONGEST:g} s on a text of {len(text)} characters",
            fix="write it without a repetition inside a repetition, as in (a+)+",
        )


def complaint(pattern: str) -> str:
    """Return why a text is no regular expression; empty when it is one."""
    try:
        regex.compile(pattern)
    except regex.error as error:
        return str(error)
    return ""


def found(pattern: str, text: str) -> bool:
    """Return whether a text has a match for a pattern. Raises `PatternTooSlow`, and `PeeklockError` for what is no pattern."""
    try:
        return regex.search(pattern, text, timeout=LONGEST) is not None
    except TimeoutError:
        raise PatternTooSlow(pattern, text) from None
    except regex.error as error:
        raise PeeklockError(f"not a regular expression: /{pattern}/: {error}") from None
