"""What a collection of results must be: `count`, `each`, `items`, `unordered`, `contains`, `unique`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from peeklock.scenario.errors import suggestion
from peeklock.scenario.matchers.base import Context, DataPath, Matcher, MatcherInvalid, Mismatch, show, step_into
from peeklock.scenario.matchers.compiler import compile_matcher
from peeklock.scenario.matchers.operators import OPERATORS, Contains
from peeklock.scenario.matchers.structure import Later, Literal, literal
from peeklock.scenario.values import ValueInvalid, dig, is_template

_KEYS = ("count", "each", "items", "unordered", "contains", "unique")


@dataclass(frozen=True, slots=True)
class Collection:
    """A list of results. `each` over nothing fails unless `count: 0` is said: nothing passes vacuously."""

    count: Matcher | None
    each: Matcher | None
    whole: tuple[Matcher, ...]
    source: DataPath

    def match(self, actual: Any, context: Context, at: str) -> list[Mismatch]:
        found: list[Mismatch] = []
        if self.count:
            found += [
                Mismatch(
                    step_into(at, "count"), self.count.describe(context), str(len(actual)), (*self.source, "count")
                )
                for _ in self.count.match(len(actual), context, at)
            ]
        if self.each and actual:
            for index, item in enumerate(actual):
                prefix = step_into(at, index) if len(actual) > 1 else at
                found += self.each.match(item, context, prefix)
        elif self.each and not found and not self._empty_is_meant(context):
            found.append(
                Mismatch(at, f"each {self.each.describe(context)}", "nothing is there", (*self.source, "each"))
            )
        for matcher in self.whole:
            found += matcher.match(actual, context, at)
        return found

    def _empty_is_meant(self, context: Context) -> bool:
        return isinstance(self.count, Literal) and context.resolve(self.count.raw) == 0

    def describe(self, context: Context) -> str:
        parts = [f"count {self.count.describe(context)}"] if self.count else []
        parts += [f"each {self.each.describe(context)}"] if self.each else []
        return ", ".join([*parts, *(matcher.describe(context) for matcher in self.whole)])


@dataclass(frozen=True, slots=True)
class Unique:
    """No two items have the same value at a path."""

    path: str
    source: DataPath

    def match(self, actual: Any, context: Context, at: str) -> list[Mismatch]:
        seen: dict[str, int] = {}
        found: list[Mismatch] = []
        for index, item in enumerate(actual):
            try:
                value = show(dig(item, f".{context.resolve(self.path)}"))
            except ValueInvalid as error:
                found.append(Mismatch(step_into(at, index), f"a value at {self.path}", error.problem, self.source))
                continue
            if value in seen:
                same = f"{value}, as has [{seen[value]}]"
                found.append(
                    Mismatch(step_into(step_into(at, index), self.path), "a value of its own", same, self.source)
                )
            seen.setdefault(value, index)
        return found

    def describe(self, context: Context) -> str:
        return f"each with its own {self.path}"


def compile_collection(raw: Any, source: DataPath = ()) -> Matcher:
    """Return the matcher for a list of results. Raises `MatcherInvalid`."""
    if not isinstance(raw, dict) or not raw:
        raise MatcherInvalid(
            source,
            "an expectation about several results is a mapping",
            expected="one or more of " + ", ".join(_KEYS),
            fix="write {count: 1, each: {…}}",
        )
    for key in raw:
        if key not in _KEYS:
            raise MatcherInvalid(
                (*source, key),
                f'unknown key "{key}"',
                expected="one or more of " + ", ".join(_KEYS),
                fix=suggestion(key, _KEYS) or f"write {{each: {{{key}: …}}}}",
                at_key=True,
            )
    whole: list[Matcher] = []
    if "items" in raw:
        if not isinstance(raw["items"], list) and not is_template(raw["items"]):
            raise MatcherInvalid((*source, "items"), "a list is needed", expected=show([]) + " or more")
        whole.append(compile_matcher(raw["items"], (*source, "items")))
    if "unordered" in raw:
        unordered = OPERATORS["$unordered"].compile
        here, wanted = (*source, "unordered"), raw["unordered"]
        if is_template(wanted):
            whole.append(Later(wanted, here, lambda value: unordered(value, here, {}, literal)))
        else:
            whole.append(unordered(wanted, here, {}, compile_matcher))
    if "contains" in raw:
        here = (*source, "contains")
        whole.append(Contains(compile_matcher(raw["contains"], here), here))
    if "unique" in raw:
        if not isinstance(raw["unique"], str):
            raise MatcherInvalid((*source, "unique"), "a path is needed", expected="for example body.id")
        whole.append(Unique(raw["unique"], (*source, "unique")))
    count = compile_matcher(raw["count"], (*source, "count")) if "count" in raw else None
    each = compile_matcher(raw["each"], (*source, "each")) if "each" in raw else None
    return Collection(count, each, tuple(whole), source)
