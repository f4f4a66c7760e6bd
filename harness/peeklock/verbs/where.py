"""`where`: which of several results a step means, by matchers."""

from __future__ import annotations

from typing import Any

from peeklock.engine.failure import VerbFailed
from peeklock.scenario.matchers import Matcher, MatcherInvalid, compile_matcher
from peeklock.scenario.vocabulary import Complaint


def compile_where(where: dict[str, Any]) -> Matcher:
    """Return the matcher. Raises `VerbFailed` with the place of what is wrong, as after a look-up."""
    try:
        return compile_matcher(where)
    except MatcherInvalid as error:
        raise VerbFailed(f"where: {error}", path=("where", *error.path)) from None


def check_where(raw: dict[str, Any]) -> list[Complaint]:
    """Return what is wrong with the `where` of raw arguments."""
    try:
        compile_matcher(raw.get("where", {}))
    except MatcherInvalid as error:
        return [Complaint(("where", *error.path), error.problem, error.expected, error.fix)]
    return []
