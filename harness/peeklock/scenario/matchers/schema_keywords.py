"""The keywords of a JSON Schema, and how often values have met and broken each. Costs 0.1 s to import."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jsonschema.exceptions import SchemaError
from jsonschema.validators import extend
from referencing import Registry
from referencing.exceptions import Unresolvable

from peeklock.scenario.matchers.schema_validator import bounded_validator

_ASSERTIONS = frozenset({
    "additionalProperties", "anyOf", "const", "contains", "dependentRequired", "enum", "exclusiveMaximum", "exclusiveMinimum",
    "maxItems", "maxLength", "maxProperties", "maximum", "minItems", "minLength", "minProperties", "minimum", "multipleOf", "not",
    "oneOf", "pattern", "required", "type", "unevaluatedItems", "unevaluatedProperties", "uniqueItems",
})  # fmt: skip
_OTHERS = frozenset({"additionalProperties", "unevaluatedItems", "unevaluatedProperties"})
"""With a schema they say what others are to be like, else that there are to be none."""
_ONE = _OTHERS | {"contains", "else", "items", "propertyNames", "then"}
"""Not `if` and `not`: what breaks a condition breaks no contract."""
_SEVERAL = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_NAMED = frozenset({"$defs", "definitions", "dependentSchemas", "patternProperties", "properties"})
LONGEST = 80


@dataclass
class Keyword:
    """One keyword at one place of a schema."""

    place: str
    """Of the value it is about, as `items[].name`; of a shared definition `#name`; empty for the whole value."""
    name: str
    wanted: str
    """As JSON, cut to `LONGEST`; of `required` the name of one property."""
    met: int = 0
    """How many values were held to it."""
    broken: int = 0


class Keywords:
    """Those of one schema that a value can break."""

    def __init__(self, schema: Any) -> None:
        """Raises `ValueError` when it is no schema that can be used."""
        base = bounded_validator()
        try:
            base.check_schema(schema)
        except SchemaError as error:
            place = "/".join(map(str, error.absolute_path))
            raise ValueError(f"the schema is not valid at /{place}: {error.message}") from None
        self.all: list[Keyword] = []
        self._known: dict[tuple[int, str, str], Keyword] = {}
        self._schema = schema
        self._walk(schema, "")
        counting = {name: self._counted(name, base.VALIDATORS[name]) for name in _ASSERTIONS & set(base.VALIDATORS)}
        self._validator = extend(base, counting)(schema, registry=Registry())

    def check(self, value: Any) -> list[tuple[str, str]]:
        """Hold a value to the schema, count, and return `(path, message)` of everything that is wrong. Raises `PatternTooSlow`,
        and `ValueError` for a reference that leads nowhere."""
        try:
            errors = list(self._validator.iter_errors(value))
        except Unresolvable as error:
            raise ValueError(f"the schema refers to what it does not hold: {error.ref}") from None
        errors.sort(key=lambda error: list(map(str, error.absolute_path)))
        return [(".".join(map(str, error.absolute_path)), error.message) for error in errors]

    def _walk(self, schema: Any, place: str) -> None:
        if not isinstance(schema, Mapping):
            return
        for name, wanted in schema.items():
            if name == "required" and isinstance(wanted, Sequence):
                for each in wanted:
                    self._add(schema, place, name, str(each), str(each))
            elif name in _ASSERTIONS and wanted is not True and not (name in _OTHERS and isinstance(wanted, Mapping)):
                told = "" if name in _SEVERAL else json.dumps(wanted, ensure_ascii=False)
                self._add(schema, place, name, told if len(told) <= LONGEST else f"{told[: LONGEST - 1]}…")
            if name in _ONE:
                self._walk(wanted, f"{place}[]" if name in ("items", "contains", "unevaluatedItems") else place)
            elif name in _SEVERAL and isinstance(wanted, list):
                for index, each in enumerate(wanted):
                    self._walk(each, f"{place}[{index}]" if name == "prefixItems" else place)
            elif name in _NAMED and isinstance(wanted, Mapping):
                for key, each in wanted.items():
                    self._walk(each, _inside(place, name, str(key)))

    def _add(self, schema: Mapping[str, Any], place: str, name: str, wanted: str, which: str = "") -> None:
        keyword = Keyword(place, name, wanted)
        self.all.append(keyword)
        self._known[id(schema), name, which] = keyword

    def _counted(self, name: str, check: Callable[..., Any]) -> Callable[..., Iterator[Any]]:
        def counted(validator: Any, wanted: Any, instance: Any, schema: Any) -> Iterator[Any]:
            errors = list(check(validator, wanted, instance, schema) or ())
            if name == "required":
                for each in wanted if isinstance(instance, dict) else ():
                    self._count(schema, name, each, each not in instance)
            else:
                self._count(schema, name, "", bool(errors))
            yield from errors

        return counted

    def _count(self, schema: Any, name: str, which: str, is_broken: bool) -> None:
        if (keyword := self._known.get((id(schema), name, which))) is not None:
            keyword.met += 1
            keyword.broken += is_broken


def _inside(place: str, name: str, key: str) -> str:
    if name in ("$defs", "definitions"):
        return f"#{key}"
    if name == "patternProperties":
        key = f"/{key}/"
    return place if name == "dependentSchemas" else f"{place}.{key}" if place else key
