"""Values held to a JSON Schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from peeklock.scenario.matchers.schema_keywords import Keywords


def schema_errors(schema: Any, value: Any) -> list[tuple[str, str]]:
    """Return `(path, message)` of everything in `value` that the JSON Schema does not accept; of what is wrong with the schema,
    when that is no schema. References are never fetched. Raises `PatternTooSlow`."""
    try:
        return keywords_of(schema).check(value)
    except ValueError as error:
        return [("", str(error))]


def keywords_of(schema: Any) -> Keywords:
    """Return a schema that counts which of its keywords values meet and break. Raises `ValueError` when it is no schema."""
    from peeklock.scenario.matchers.schema_keywords import Keywords  # jsonschema: 0.1 s

    return Keywords(schema)
