"""Values held to a JSON Schema."""

from __future__ import annotations

from typing import Any


def schema_errors(schema: Any, value: Any) -> list[tuple[str, str]]:
    """Return `(path, message)` of everything in `value` that the JSON Schema does not accept; of what is wrong with the schema,
    when that is no schema. References are never fetched. Raises `PatternTooSlow`."""
    from peeklock.scenario.matchers.schema_validator import errors  # jsonschema: 0.1 s

    return errors(schema, value)
