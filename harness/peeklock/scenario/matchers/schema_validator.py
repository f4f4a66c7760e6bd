"""JSON Schema 2020-12 with expressions that cannot take for ever. Costs 0.1 s to import."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend

from peeklock.scenario.matchers.patterns import found


@cache
def bounded_validator() -> Any:
    """Return JSON Schema 2020-12 with expressions that cannot take for ever."""

    def pattern(_validator: Any, wanted: str, instance: Any, _schema: Any) -> Iterator[Any]:
        if isinstance(instance, str) and not found(wanted, instance):
            yield ValidationError(f"{instance!r} does not match {wanted!r}")

    def pattern_properties(validator: Any, wanted: Mapping[str, Any], instance: Any, _schema: Any) -> Iterator[Any]:
        for expression, schema in wanted.items() if isinstance(instance, dict) else ():
            for key, item in instance.items():
                if found(expression, key):
                    yield from validator.descend(item, schema, path=key, schema_path=expression)

    def additional_properties(validator: Any, wanted: Any, instance: Any, schema: Any) -> Iterator[Any]:
        known, expressions = schema.get("properties", {}), schema.get("patternProperties", {})
        others = [
            key
            for key in (instance if isinstance(instance, dict) else ())
            if key not in known and not any(found(expression, key) for expression in expressions)
        ]
        if wanted is False and others:
            verb = "was" if len(others) == 1 else "were"
            names = ", ".join(map(repr, sorted(others)))
            yield ValidationError(f"Additional properties are not allowed ({names} {verb} unexpected)")
        elif isinstance(wanted, dict):
            for key in others:
                yield from validator.descend(instance[key], wanted, path=key)

    keywords = {
        "pattern": pattern,
        "patternProperties": pattern_properties,
        "additionalProperties": additional_properties,
    }
    return extend(Draft202012Validator, keywords)
