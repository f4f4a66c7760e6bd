"""`${…}`: looked up after parsing, types kept."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from peeklock.scenario.values import Scope, ValueInvalid, references, resolve

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def scope(**names: Any) -> Scope:
    return Scope(names, Path(__file__).parent, fake=lambda name: f"<{name}>", now=lambda: NOW)


def test_a_whole_value_keeps_its_type() -> None:
    names = scope(n=3, flag=True, nothing=None, body={"a": [1, {"b": 2}]})
    assert resolve("${n}", names) == 3
    assert resolve("${flag}", names) is True
    assert resolve("${nothing}", names) is None
    assert resolve("${body}", names) == {"a": [1, {"b": 2}]}
    assert resolve("${body.a[1].b}", names) == 2


def test_inside_a_text_it_becomes_text() -> None:
    assert resolve("iq_${n}-${flag}", scope(n=3, flag=True)) == "iq_3-true"


def test_it_reaches_into_mappings_and_lists() -> None:
    assert resolve({"a": ["${n}", {"b": "x${n}"}]}, scope(n=1)) == {"a": [1, {"b": "x1"}]}


def test_two_dollars_are_one() -> None:
    assert resolve("$${n} costs $$5 or $5", scope()) == "${n} costs $5 or $5"


def test_what_is_looked_up_is_not_looked_up_again() -> None:
    """A captured text that looks like a reference is data, not code."""
    assert resolve("${evil}", scope(evil="${n}", n=1)) == "${n}"


def test_functions() -> None:
    assert uuid.UUID(resolve("${uuid()}", scope()))
    assert resolve("${now()}", scope()) == "2026-11-22T12:00:00.000Z"
    assert resolve("${now(+5m)}", scope()) == "2026-11-22T12:05:00.000Z"
    assert resolve("${now(-2h)}", scope()) == "2026-11-22T10:00:00.000Z"
    assert resolve("${fake(name.first_name)}", scope()) == "<name.first_name>"
    assert "looked up after parsing" in resolve("${file(test_values.py)}", scope())
    assert len(resolve("${sha256(test_values.py)}", scope())) == 64


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${nobody}", '"nobody" is not defined'),
        ("${body.ansewr}", '"body" has no "ansewr"; it has keys answer'),
        ("${items[7]}", '"items" has no "7"; it has 2 items'),
        ("${n.x}", '"n" has no "x"; it has int, which has no parts'),
        ("${file(nothing.txt)}", "No such file"),
    ],
)
def test_what_is_not_there_is_told(text: str, message: str) -> None:
    with pytest.raises(ValueInvalid) as caught:
        resolve(text, scope(body={"answer": 1}, items=[1, 2], n=3))
    assert message in str(caught.value)


def test_a_typing_error_gets_a_suggestion() -> None:
    with pytest.raises(ValueInvalid) as caught:
        resolve("${detectr}", scope(detector=1))
    assert caught.value.fix == 'did you mean "detector"?'


def test_references_are_found_without_looking_up() -> None:
    found = list(references({"a": ["x${one}y${two.three}"], "b": "$${no}"}))
    assert [(path, reference.root) for path, reference in found] == [(("a", 0), "one"), (("a", 0), "two")]


@pytest.mark.parametrize("text", ["${sha256(blades/${image})}", "${n", "a ${b ${c}"])
def test_a_reference_inside_another_is_told_and_not_taken_for_text(text: str) -> None:
    with pytest.raises(ValueInvalid, match="not closed, or has another one inside"):
        list(references(text))


def test_a_name_in_brackets_is_a_position_or_a_key() -> None:
    names = scope(list=["a", "b"], i=1, of={"eu": 3}, where="eu", at={"n": 0})
    assert resolve("${list[i]}", names) == "b"
    assert resolve("${list[at.n]}", names) == "a"
    assert resolve("${list[-1]}", names) == "b"
    assert resolve("${of[where]}", names) == 3


def test_a_name_in_brackets_must_be_defined_and_lead_somewhere() -> None:
    with pytest.raises(ValueInvalid, match=r'"list" has no "7"; it has 1 items'):
        resolve("${list[i]}", scope(list=["a"], i=7))
    with pytest.raises(ValueInvalid, match=r"\[i\] is a list"):
        resolve("${list[i]}", scope(list=["a"], i=[]))
    assert [reference.root for _, reference in references("${list[i]}")] == ["list", "i"]
