"""Matchers with arguments: `{$regex: …}`, `{$between: [a, b]}` …"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from peeklock.durations import format_duration, parse_duration
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
from peeklock.scenario.matchers.nearest import nearest
from peeklock.scenario.matchers.schema import schema_errors
from peeklock.scenario.matchers.structure import Later, Literal, Optional, Subset, equal
from peeklock.scenario.matchers.words import parse_timestamp
from peeklock.scenario.values import is_template

Compile = Callable[[Any, DataPath], Matcher]


@dataclass(frozen=True, slots=True)
class Operator:
    """How an operator's argument becomes a matcher; `options` are the keys that may stand beside it."""

    compile: Callable[[Any, DataPath, Mapping[str, Any], Compile], Matcher]
    options: tuple[str, ...] = ()
    takes_text: bool = True
    """Whether a text may be its argument, so that one which is looked up later is as good."""


@dataclass(frozen=True, slots=True)
class Test:
    """A present value that passes a test against the looked-up argument."""

    sentence: str
    """What is expected, with `{}` for the argument."""
    argument: Any
    source: DataPath
    passes: Callable[[Any, Any], bool]

    def match(self, actual: Any, context: Context, at: str) -> list[Mismatch]:
        if actual is not ABSENT and self.passes(actual, context.resolve(self.argument)):
            return []
        return [Mismatch(at, self.describe(context), show(actual), self.source)]

    def describe(self, context: Context) -> str:
        argument = context.resolve(self.argument)
        parts = argument if isinstance(argument, list) and self.sentence.count("{}") > 1 else [argument]
        return self.sentence.format(*(part if isinstance(part, str) else show(part) for part in parts))


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _compare(sentence: str, test: Callable[[Any, Any], bool]) -> Operator:
    def build(raw: Any, source: DataPath, options: Mapping[str, Any], inner: Compile) -> Matcher:
        if not (_number(raw) or isinstance(raw, str)):
            raise MatcherInvalid(source, "not something to compare with", expected="a number or a timestamp")
        return Test(sentence, raw, source, lambda actual, bound: _ordered(actual, bound, test))

    return Operator(build)


def _ordered(actual: Any, bound: Any, test: Callable[[Any, Any], bool]) -> bool:
    if _number(actual) and _number(bound):
        return test(actual, bound)
    left, right = parse_timestamp(actual), parse_timestamp(bound)
    return left is not None and right is not None and test(left, right)


def _pair(sentence: str, test: Callable[[Any, Any, Any], bool], expected: str) -> Operator:
    def build(raw: Any, source: DataPath, options: Mapping[str, Any], inner: Compile) -> Matcher:
        if not isinstance(raw, list) or len(raw) != 2:
            raise MatcherInvalid(source, "two values are needed", expected=expected)
        for index, part in enumerate(raw):
            if not (_number(part) or isinstance(part, str)):
                raise MatcherInvalid((*source, index), "not a number or a timestamp", expected=expected)
        return Test(sentence, raw, source, lambda actual, bounds: test(actual, bounds[0], bounds[1]))

    return Operator(build, takes_text=False)


def _between(actual: Any, low: Any, high: Any) -> bool:
    return _ordered(actual, low, lambda a, b: a >= b) and _ordered(actual, high, lambda a, b: a <= b)


def _regex(raw: Any, source: DataPath, options: Mapping[str, Any], inner: Compile) -> Matcher:
    from peeklock.scenario.matchers import patterns  # regex: 19 ms

    if not isinstance(raw, str):
        raise MatcherInvalid(source, "not a regular expression", expected="a string")
    if not is_template(raw) and (wrong := patterns.complaint(raw)):
        raise MatcherInvalid(source, f"not a regular expression: {wrong}")
    return Test(
        "text with /{}/",
        raw,
        source,
        lambda actual, pattern: isinstance(actual, str) and patterns.found(str(pattern), actual),
    )


def _within(raw: Any, source: DataPath, options: Mapping[str, Any], inner: Compile) -> Matcher:
    expected = "[timestamp, duration], as in [${now()}, 5s]"
    if not isinstance(raw, list) or len(raw) != 2 or not all(isinstance(part, str) for part in raw):
        raise MatcherInvalid(source, "two values are needed", expected=expected)
    if is_template(raw[1]):
        return Later(raw, source, lambda value: _within(value, source, options, inner))
    try:
        seconds = parse_duration(raw[1])
    except ValueError as error:
        raise MatcherInvalid((*source, 1), str(error), expected=expected) from None

    def near(actual: Any, center: Any) -> bool:
        left, right = parse_timestamp(actual), parse_timestamp(center)
        return left is not None and right is not None and abs((left - right).total_seconds()) <= seconds

    return Test(f"within {format_duration(seconds)} of {{}}", raw[0], source, near)


@dataclass(frozen=True, slots=True)
class OneOf:
    """A value that one of the matchers takes."""

    choices: tuple[Matcher, ...]
    source: DataPath

    def match(self, actual: Any, context: Context, at: str) -> list[Mismatch]:
        if any(not choice.match(actual, context, at) for choice in self.choices):
            return []
        return [Mismatch(at, self.describe(context), show(actual), self.source)]

    def describe(self, context: Context) -> str:
        return "one of " + ", ".join(choice.describe(context) for choice in self.choices)


@dataclass(frozen=True, slots=True)
class Contains:
    """A text that contains a text, or a list that has an item like this one."""

    item: Matcher
    source: DataPath

    def match(self, actual: Any, context: Context, at: str) -> list[Mismatch]:
        if isinstance(actual, str) and isinstance(self.item, Literal):
            part = context.resolve(self.item.raw)
            if isinstance(part, str) and part in actual:
                return []
        elif isinstance(actual, list) and any(not self.item.match(value, context, at) for value in actual):
            return []
        near = nearest(self.item, actual, context, at) if isinstance(actual, list) else ""
        return [Mismatch(at, self.describe(context), near or show(actual), self.source)]

    def describe(self, context: Context) -> str:
        return f"something that contains {self.item.describe(context)}"


@dataclass(frozen=True, slots=True)
class Unordered:
    """A list of exactly these items, in any order."""

    items: tuple[Matcher, ...]
    source: DataPath

    def match(self, actual: Any, context: Context, at: str) -> list[Mismatch]:
        if not isinstance(actual, list):
            return [Mismatch(at, self.describe(context), show(actual), self.source)]
        fits = [
            [index for index, value in enumerate(actual) if not item.match(value, context, at)] for item in self.items
        ]
        taken: dict[int, int] = {}
        unmatched = [wanted for wanted in range(len(self.items)) if not _assign(wanted, fits, taken, set())]
        rest = [value for index, value in enumerate(actual) if index not in taken]
        found = [
            Mismatch(
                at,
                self.items[wanted].describe(context),
                nearest(self.items[wanted], rest, context, at) or "no item like it",
                (*self.source, wanted),
            )
            for wanted in unmatched
        ]
        if not found and len(actual) != len(self.items):
            found.append(
                Mismatch(
                    at, f"{len(self.items)} items", f"{len(actual)} items; not expected: {_shown(rest)}", self.source
                )
            )
        return found

    def describe(self, context: Context) -> str:
        return "in any order " + ", ".join(item.describe(context) for item in self.items)


def _assign(wanted: int, fits: list[list[int]], taken: dict[int, int], seen: set[int]) -> bool:
    """Give `wanted` an actual item of its own, moving others where needed (augmenting paths)."""
    for index in fits[wanted]:
        if index not in seen:
            seen.add(index)
            if index not in taken or _assign(taken[index], fits, taken, seen):
                taken[index] = wanted
                return True
    return False


def _shown(values: list[Any]) -> str:
    return ", ".join(map(show, values))


@dataclass(frozen=True, slots=True)
class Each:
    """A list with at least one item, each as the matcher says."""

    item: Matcher
    source: DataPath

    def match(self, actual: Any, context: Context, at: str) -> list[Mismatch]:
        values = list(actual.values()) if isinstance(actual, Mapping) else actual
        if not isinstance(values, list) or not values:
            return [
                Mismatch(
                    at,
                    f"each item {self.item.describe(context)}",
                    show(actual) + " (nothing passes vacuously)" if isinstance(values, list) else show(actual),
                    self.source,
                )
            ]
        return [
            found
            for index, value in enumerate(values)
            for found in self.item.match(value, context, step_into(at, index))
        ]

    def describe(self, context: Context) -> str:
        return f"each item {self.item.describe(context)}"


@dataclass(frozen=True, slots=True)
class Length:
    """Something whose length is as the matcher says."""

    count: Matcher
    source: DataPath

    def match(self, actual: Any, context: Context, at: str) -> list[Mismatch]:
        if isinstance(actual, str | list | Mapping):
            return [
                Mismatch(at, self.describe(context), f"length {len(actual)}", self.source)
                for _ in self.count.match(len(actual), context, at)
            ]
        return [Mismatch(at, self.describe(context), show(actual), self.source)]

    def describe(self, context: Context) -> str:
        return f"length {self.count.describe(context)}"


@dataclass(frozen=True, slots=True)
class Not:
    """Anything present that the matcher does not take."""

    inner: Matcher
    source: DataPath

    def match(self, actual: Any, context: Context, at: str) -> list[Mismatch]:
        if actual is not ABSENT and self.inner.match(actual, context, at):
            return []
        return [Mismatch(at, self.describe(context), show(actual), self.source)]

    def describe(self, context: Context) -> str:
        return f"not {self.inner.describe(context)}"


@dataclass(frozen=True, slots=True)
class Schema:
    """A value that a JSON Schema file accepts."""

    file: str
    source: DataPath

    def match(self, actual: Any, context: Context, at: str) -> list[Mismatch]:
        path = context.folder / context.resolve(self.file)
        try:
            schema = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            return [
                Mismatch(at, f"a value for the schema {self.file}", f"the schema cannot be read: {error}", self.source)
            ]
        return [
            Mismatch(
                step_into(at, found[0]) if found[0] else at, f"valid by {Path(self.file).name}", found[1], self.source
            )
            for found in schema_errors(schema, actual)
        ]

    def describe(self, context: Context) -> str:
        return f"valid by {self.file}"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A value equal to the one in a file, beside the keys that are to be ignored."""

    name: str
    source: DataPath
    ignore: frozenset[str] = field(default_factory=frozenset)

    def match(self, actual: Any, context: Context, at: str) -> list[Mismatch]:
        path = context.folder / "snapshots" / f"{context.resolve(self.name)}.json"
        pruned = self._prune(actual)
        if context.update_snapshots:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(pruned, indent=2, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8")
            return []
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return [
                Mismatch(
                    at,
                    f"as in the snapshot {path.name}",
                    "there is none yet: run once with --update-snapshots",
                    self.source,
                )
            ]
        return [
            Mismatch(found.path, found.expected, found.actual, self.source)
            for found in _literal(stored).match(pruned, Context(), at)
        ]

    def describe(self, context: Context) -> str:
        return f"as in the snapshot {self.name}"

    def _prune(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: self._prune(child) for key, child in value.items() if key not in self.ignore}
        return [self._prune(child) for child in value] if isinstance(value, list) else value


def _literal(value: Any) -> Matcher:
    if isinstance(value, Mapping):
        return Subset({key: _literal(child) for key, child in value.items()}, (), exact=True)
    return Literal(value, ())


def _snapshot(raw: Any, source: DataPath, options: Mapping[str, Any], inner: Compile) -> Matcher:
    ignore = options.get("ignore", [])
    if not isinstance(raw, str):
        raise MatcherInvalid(source, "a snapshot needs a name", expected="a string")
    if not isinstance(ignore, list) or not all(isinstance(key, str) for key in ignore):
        raise MatcherInvalid((*source[:-1], "ignore"), "not a list of keys", expected="a list of strings")
    return Snapshot(raw, source, frozenset(ignore))


def _list_of(kind: type[OneOf | Unordered]) -> Operator:
    def build(raw: Any, source: DataPath, options: Mapping[str, Any], inner: Compile) -> Matcher:
        if not isinstance(raw, list) or not raw:
            raise MatcherInvalid(source, "a list is needed", expected="a list with at least one item")
        return kind(tuple(inner(item, (*source, index)) for index, item in enumerate(raw)), source)

    return Operator(build, takes_text=False)


def _exact(raw: Any, source: DataPath, options: Mapping[str, Any], inner: Compile) -> Matcher:
    if not isinstance(raw, dict):
        raise MatcherInvalid(source, "$exact takes a mapping", fix="a list is exact by itself")
    return Subset({key: inner(value, (*source, key)) for key, value in raw.items()}, source, exact=True)


def _schema(raw: Any, source: DataPath, options: Mapping[str, Any], inner: Compile) -> Matcher:
    if not isinstance(raw, str):
        raise MatcherInvalid(source, "a path to a JSON Schema file is needed", expected="a string")
    return Schema(raw, source)


OPERATORS: dict[str, Operator] = {
    "$regex": Operator(_regex),
    "$between": _pair("between {} and {}", _between, "[low, high]"),
    "$gt": _compare("greater than {}", lambda a, b: a > b),
    "$gte": _compare("at least {}", lambda a, b: a >= b),
    "$lt": _compare("less than {}", lambda a, b: a < b),
    "$lte": _compare("at most {}", lambda a, b: a <= b),
    "$approx": _pair(
        "{} ± {}",
        lambda actual, center, margin: _number(actual) and _number(center) and abs(actual - center) <= margin,
        "[value, margin]",
    ),
    "$one_of": _list_of(OneOf),
    "$unordered": _list_of(Unordered),
    "$contains": Operator(lambda raw, source, options, inner: Contains(inner(raw, source), source)),
    "$each": Operator(lambda raw, source, options, inner: Each(inner(raw, source), source)),
    "$len": Operator(lambda raw, source, options, inner: Length(inner(raw, source), source)),
    "$exact": Operator(_exact, takes_text=False),
    "$not": Operator(lambda raw, source, options, inner: Not(inner(raw, source), source)),
    "$optional": Operator(lambda raw, source, options, inner: Optional(inner(raw, source))),
    "$within": Operator(_within, takes_text=False),
    "$schema": Operator(_schema),
    "$snapshot": Operator(_snapshot, ("ignore",)),
}

__all__ = ["OPERATORS", "Operator", "equal"]
