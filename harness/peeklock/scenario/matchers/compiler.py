"""From what is written after `expect:` to a tree of matchers."""

from __future__ import annotations

from typing import Any

from peeklock.scenario.errors import suggestion
from peeklock.scenario.matchers.base import DataPath, Matcher, MatcherInvalid
from peeklock.scenario.matchers.operators import OPERATORS
from peeklock.scenario.matchers.structure import ExactList, Later, Literal, Subset, literal
from peeklock.scenario.matchers.words import WORDS, word
from peeklock.scenario.values import is_template

MATCHERS = ("$absent", *WORDS, *OPERATORS)
"""Every word and operator of expectations."""


def compile_matcher(raw: Any, source: DataPath = ()) -> Matcher:
    """Return the matcher for a value. Raises `MatcherInvalid` with the place of what is wrong."""
    if isinstance(raw, dict):
        return _mapping(raw, source)
    if isinstance(raw, list):
        return ExactList(tuple(compile_matcher(item, (*source, index)) for index, item in enumerate(raw)), source)
    if isinstance(raw, str) and raw.startswith("$") and not raw.startswith(("${", "$$")):
        if (found := word(raw, source)) is not None:
            return found
        words = ["$absent", *WORDS]
        if raw in OPERATORS:
            raise MatcherInvalid(source, f"{raw} needs an argument", fix=f"write {{{raw}: …}}")
        raise MatcherInvalid(
            source,
            f'there is no matcher "{raw}"',
            expected="one of " + " ".join(words),
            fix=suggestion(raw, words) or f'write "${raw}" for the text itself',
        )
    return Literal(raw, source)


def _mapping(raw: dict[str, Any], source: DataPath) -> Matcher:
    operators = [key for key in raw if key.startswith("$") and not key.startswith(("${", "$$"))]
    if not operators:
        return Subset({key: compile_matcher(value, (*source, key)) for key, value in raw.items()}, source)
    name = operators[0]
    if name not in OPERATORS:
        raise MatcherInvalid(
            (*source, name),
            f'there is no matcher "{name}"',
            expected="one of " + " ".join(OPERATORS),
            fix=suggestion(name, OPERATORS),
            at_key=True,
        )
    operator = OPERATORS[name]
    for key in raw:
        if key != name and key not in operator.options:
            raise MatcherInvalid(
                (*source, key), f'"{key}" does not go with {name}', fix="one matcher a mapping", at_key=True
            )
    options = {key: raw[key] for key in operator.options if key in raw}
    here, argument = (*source, name), raw[name]
    if is_template(argument) and not operator.takes_text:
        return Later(argument, here, lambda value: operator.compile(value, here, options, literal))
    return operator.compile(argument, here, options, compile_matcher)
