"""Matchers: what a value must be. Compiled when a file is loaded, so that a bad one is found before anything starts.

Add one: a class with `match` in the file where it belongs, and its word in `words.WORDS` or `operators.OPERATORS`.
"""

from __future__ import annotations

from peeklock.scenario.matchers.base import ABSENT, Context, Matcher, MatcherInvalid, Mismatch, show
from peeklock.scenario.matchers.collection import compile_collection
from peeklock.scenario.matchers.compiler import MATCHERS, compile_matcher

__all__ = [
    "ABSENT",
    "MATCHERS",
    "Context",
    "Matcher",
    "MatcherInvalid",
    "Mismatch",
    "compile_collection",
    "compile_matcher",
    "show",
]
