"""Literals, mappings and lists: the matchers that need no word."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from peeklock.scenario.matchers.base import (
    ABSENT,
    Context,
    DataPath,
    Matcher,
    MatcherInvalid,
    Mismatch,
    show,
    step_into,
)
from peeklock.scenario.matchers.words import AbsentWord


@dataclass(frozen=True, slots=True)
class Literal:
    """Equality. Numbers are equal by value, everything else by type and value."""

    raw: Any
    source: DataPath

    def match(self, actual: Any, context: Context, at: str) -> list[Mismatch]:
        expected = context.resolve(self.raw)
        return [] if equal(actual, expected) else [Mismatch(at, show(expected), show(actual), self.source)]

    def describe(self, context: Context) -> str:
        return show(context.resolve(self.raw))


@dataclass(frozen=True, slots=True)
class Later:
    """A matcher whose argument is a `${…}`, so that it is made when that is looked up; what it finds is meant literally."""

    raw: Any
    source: DataPath
    build: Callable[[Any], Matcher]
    """Raises `MatcherInvalid`."""

    def match(self, actual: Any, context: Context, at: str) -> list[Mismatch]:
        value = context.resolve(self.raw)
        try:
            matcher = self.build(value)
        except MatcherInvalid as error:
            wrong = f"{error.problem}, after looking up its names: {show(value)}"
            return [Mismatch(at, error.expected or error.fix or show(self.raw), wrong, self.source)]
        return matcher.match(actual, replace(context, resolve=_as_it_is), at)

    def describe(self, context: Context) -> str:
        try:
            return self.build(context.resolve(self.raw)).describe(replace(context, resolve=_as_it_is))
        except MatcherInvalid:
            return show(self.raw)


def _as_it_is(value: Any) -> Any:
    return value


def literal(value: Any, source: DataPath) -> Matcher:
    """Return the matcher for a value that was looked up, in which no word is a matcher."""
    return Literal(value, source)


@dataclass(frozen=True, slots=True)
class Optional:
    """Absent, or as the inner matcher says."""

    inner: Matcher

    def match(self, actual: Any, context: Context, at: str) -> list[Mismatch]:
        return [] if actual is ABSENT else self.inner.match(actual, context, at)

    def describe(self, context: Context) -> str:
        return f"absent or {self.inner.describe(context)}"


@dataclass(frozen=True, slots=True)
class Subset:
    """A mapping that has at least these keys; with `exact`, no others."""

    fields: Mapping[str, Matcher]
    source: DataPath
    exact: bool = False

    def match(self, actual: Any, context: Context, at: str) -> list[Mismatch]:
        if not isinstance(actual, Mapping):
            return [Mismatch(at, self.describe(context), show(actual), self.source)]
        found: list[Mismatch] = []
        for key, matcher in self.fields.items():
            here = step_into(at, key)
            if key not in actual and not isinstance(matcher, AbsentWord | Optional):
                found.append(Mismatch(here, matcher.describe(context), _absent_beside(actual), (*self.source, key)))
            else:
                found += matcher.match(actual.get(key, ABSENT), context, here)
        if self.exact:
            found += [
                Mismatch(step_into(at, key), "absent", show(actual[key]), self.source)
                for key in actual
                if key not in self.fields
            ]
        return found

    def describe(self, context: Context) -> str:
        inside = ", ".join(f"{key}: {matcher.describe(context)}" for key, matcher in self.fields.items())
        return f"a mapping with {{{inside}}}" if not self.exact else f"exactly {{{inside}}}"


@dataclass(frozen=True, slots=True)
class ExactList:
    """A list of exactly these items, in this order."""

    items: tuple[Matcher, ...]
    source: DataPath

    def match(self, actual: Any, context: Context, at: str) -> list[Mismatch]:
        if not isinstance(actual, list):
            return [Mismatch(at, self.describe(context), show(actual), self.source)]
        found = [
            mismatch
            for index, (item, value) in enumerate(zip(self.items, actual, strict=False))
            for mismatch in item.match(value, context, step_into(at, index))
        ]
        if len(actual) != len(self.items):
            found.append(Mismatch(at, f"{len(self.items)} items", f"{len(actual)} items: {show(actual)}", self.source))
        return found

    def describe(self, context: Context) -> str:
        return "[" + ", ".join(item.describe(context) for item in self.items) + "]"


def equal(left: Any, right: Any) -> bool:
    """Tell whether two JSON values are equal, `1` and `1.0` being so and `1` and `true` not."""
    if isinstance(left, bool) or isinstance(right, bool):
        return isinstance(left, bool) and isinstance(right, bool) and left == right
    if isinstance(left, int | float) and isinstance(right, int | float):
        return left == right
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(equal(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(equal, left, right))
    return type(left) is type(right) and bool(left == right)


def _absent_beside(actual: Mapping[str, Any]) -> str:
    return "absent" + (f" (there are {', '.join(map(str, actual))})" if actual else " (the mapping is empty)")
