"""Which keywords of a JSON Schema values have met and broken."""

from __future__ import annotations

from typing import Any

import pytest

from peeklock.scenario.matchers.schema_keywords import Keywords


def counted(schema: dict[str, Any], *values: Any) -> dict[str, tuple[int, int]]:
    """Of each keyword how often it was met and broken, as `place name wanted`."""
    keywords = Keywords(schema)
    for value in values:
        keywords.check(value)
    return {f"{each.place} {each.name} {each.wanted}": (each.met, each.broken) for each in keywords.all}


def test_a_keyword_counts_the_values_that_met_it_and_those_that_broke_it() -> None:
    schema = {"properties": {"name": {"type": "string", "maxLength": 3}, "size": {"minimum": 0}}}
    assert counted(schema, {"name": "long"}, {"name": "ab"}, {"name": 7}) == {
        'name type "string"': (3, 1),
        "name maxLength 3": (3, 1),
        "size minimum 0": (0, 0),
    }


def test_each_required_property_counts_by_itself() -> None:
    assert counted({"required": ["a", "b"]}, {"a": 1}) == {" required a": (1, 0), " required b": (1, 1)}


def test_items_and_shared_definitions_have_places_of_their_own() -> None:
    schema = {
        "properties": {"items": {"items": {"$ref": "#/$defs/item"}}},
        "$defs": {"item": {"properties": {"id": {"type": "integer"}}}},
    }
    assert counted(schema, {"items": [{"id": 1}, {"id": "x"}]}) == {'#item.id type "integer"': (2, 1)}


def test_what_only_leads_on_is_no_keyword_that_can_be_broken() -> None:
    """Nor is a condition, nor `additionalProperties: true`; one that forbids others is."""
    schema = {"if": {"const": 1}, "properties": {"a": {}}, "additionalProperties": False}
    assert counted(schema, {"b": 1}) == {" additionalProperties false": (1, 1)}
    assert counted({"additionalProperties": True}, {"b": 1}) == {}
    assert counted({"additionalProperties": {"type": "string"}}, {"b": 1}) == {' type "string"': (1, 1)}


@pytest.mark.parametrize("schema", [{"type": 7}, [], "x", {"required": "a"}])
def test_what_is_no_schema_is_refused(schema: Any) -> None:
    with pytest.raises(ValueError, match="the schema is not valid at "):
        Keywords(schema)


def test_a_reference_that_leads_nowhere_is_told_by_the_check() -> None:
    with pytest.raises(ValueError, match="refers to what it does not hold"):
        Keywords({"$ref": "#/$defs/none"}).check(1)


def test_errors_are_those_of_the_schema_matcher() -> None:
    errors = Keywords({"required": ["a"], "properties": {"b": {"type": "string"}}}).check({"b": 1})
    assert errors == [("", "'a' is a required property"), ("b", "1 is not of type 'string'")]
