"""Matchers: subset mappings, exact lists, typed scalars, words and operators."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from peeklock.scenario.matchers import Context, MatcherInvalid, compile_collection, compile_matcher
from peeklock.scenario.matchers.operators import OPERATORS
from peeklock.scenario.matchers.words import WORDS
from peeklock.scenario.values import Scope, resolve

T = "2026-11-22T12:00:00Z"

GOOD: list[tuple[Any, Any]] = [
    ({"a": 1}, {"a": 1, "b": 2}),
    ([1, 2], [1, 2]),
    (1, 1.0),
    ("$any", None),
    ("$null", None),
    ({"a": "$absent"}, {}),
    ("$string", ""),
    ("$int", 3),
    ("$number", 3.5),
    ("$bool", False),
    ("$uuid", "9f8e7d6c-5b4a-4392-8170-6f5e4d3c2b1a"),
    ("$timestamp", T),
    ("$url", "http://127.0.0.1/x"),
    ("$base64", "aGVsbG8="),
    ("$$any", "$any"),
    ({"$regex": "^det_"}, "det_1"),
    ({"$between": [0.5, 1]}, 1),
    ({"$between": ["2026-11-22T00:00:00Z", "2026-11-23T00:00:00Z"]}, T),
    ({"$gt": 1}, 2),
    ({"$gte": 2}, 2),
    ({"$lt": 2}, 1),
    ({"$lte": T}, T),
    ({"$approx": [0.9, 0.01]}, 0.905),
    ({"$one_of": ["YES", "NO"]}, "NO"),
    ({"$contains": "b"}, "abc"),
    ({"$contains": {"a": 1}}, [{"a": 2}, {"a": 1, "b": 1}]),
    ({"$unordered": [{"a": 1}, "$any"]}, [{"a": 2}, {"a": 1}]),
    ({"$each": {"a": "$int"}}, [{"a": 1}, {"a": 2}]),
    ({"$len": 2}, [1, 2]),
    ({"$len": {"$gt": 1}}, "ab"),
    ({"$exact": {"a": 1}}, {"a": 1}),
    ({"$not": 1}, 2),
    ({"a": {"$optional": 1}}, {}),
    ({"a": {"$optional": 1}}, {"a": 1}),
    ({"$within": [T, "5s"]}, "2026-11-22T12:00:04Z"),
]
BAD: list[tuple[Any, Any]] = [
    ({"a": 1}, {"b": 2}),
    ({"a": 1}, [1]),
    ([1, 2], [1, 2, 3]),
    ([1, 2], [2, 1]),
    (1, True),
    (1, "1"),
    ("YES", "yes"),
    ({"a": "$any"}, {}),
    ("$null", 0),
    ({"a": "$absent"}, {"a": None}),
    ("$int", True),
    ("$int", 1.5),
    ("$uuid", "det_1"),
    ("$timestamp", "yesterday"),
    ("$url", "images/x.jpg"),
    ("$base64", "!"),
    ({"$regex": "^det_"}, 5),
    ({"$between": [0.5, 1]}, 0.4),
    ({"$gt": 1}, True),
    ({"$approx": [0.9, 0.01]}, 0.95),
    ({"$one_of": ["YES", "NO"]}, "MAYBE"),
    ({"$contains": "z"}, "abc"),
    ({"$unordered": [{"a": 1}, {"a": 1}]}, [{"a": 1}, {"a": 2}]),
    ({"$unordered": [1]}, [1, 2]),
    ({"$each": "$int"}, []),
    ({"$len": 2}, [1]),
    ({"$exact": {"a": 1}}, {"a": 1, "b": 2}),
    ({"$not": 1}, 1),
    ({"a": {"$not": 1}}, {}),
    ({"a": {"$optional": 1}}, {"a": 2}),
    ({"$within": [T, "5s"]}, "2026-11-22T12:00:06Z"),
]


def mismatches(raw: Any, actual: Any) -> list[Any]:
    looking_up = Context(resolve=lambda literal: resolve(literal, Scope({}, Path())))
    return compile_matcher(raw).match(actual, looking_up, "")


@pytest.mark.parametrize(("raw", "actual"), GOOD, ids=str)
def test_takes(raw: Any, actual: Any) -> None:
    assert mismatches(raw, actual) == []


@pytest.mark.parametrize(("raw", "actual"), BAD, ids=str)
def test_refuses(raw: Any, actual: Any) -> None:
    assert mismatches(raw, actual) != []


def test_every_word_and_operator_is_tested() -> None:
    """No matcher without an example above that it takes and one that it refuses."""
    for examples in (GOOD, BAD):
        used = json.dumps([raw for raw, _ in examples])
        missing = [name for name in (*WORDS, *OPERATORS) if f'"{name}"' not in used]
        assert set(missing) <= {"$schema", "$snapshot"} | (
            {"$any", "$string", "$number", "$bool", "$gte", "$lt", "$lte"} if examples is BAD else set()
        )


def test_all_mismatches_are_told_each_with_its_path() -> None:
    found = mismatches(
        {"body": {"answer": "YES", "items": [{"id": "$int"}], "gone": "$absent"}},
        {"body": {"answer": "NO", "items": [{"id": "x"}], "gone": 1}},
    )
    assert [(m.path, m.expected, m.actual) for m in found] == [
        ("body.answer", '"YES"', '"NO"'),
        ("body.items[0].id", "an integer", '"x"'),
        ("body.gone", "absent", "1"),
    ]


def test_a_missing_key_is_told_with_those_that_are_there() -> None:
    (found,) = mismatches({"answer": 1}, {"anwser": 1})
    assert found.actual == "absent (there are anwser)"


@pytest.mark.parametrize(
    "raw",
    ["$uid", {"$betwen": [1, 2]}, {"$between": [1]}, {"$regex": "("}, {"$regex": 1}, {"$within": [T, "soon"]}, {"$one_of": []},
     {"$gt": 1, "$lt": 2}, {"$exact": 1}, {"$snapshot": 1}, {"$schema": 1}, "$regex"],
    ids=str,
)  # fmt: skip
def test_a_bad_matcher_is_refused_when_it_is_compiled(raw: Any) -> None:
    with pytest.raises(MatcherInvalid):
        compile_matcher({"deep": [raw]})


def test_literals_are_looked_up_when_they_are_matched() -> None:
    context = Context(resolve=lambda raw: 7 if raw == "${n}" else raw)
    assert compile_matcher({"a": "${n}"}).match({"a": 7}, context, "") == []


def test_schema(tmp_path: Path) -> None:
    (tmp_path / "job.json").write_text(
        '{"type": "object", "required": ["id"], "properties": {"n": {"type": "integer"}}}'
    )
    context = Context(folder=tmp_path)
    matcher = compile_matcher({"$schema": "job.json"})
    assert matcher.match({"id": 1}, context, "") == []
    assert [m.path for m in matcher.match({"n": "x"}, context, "body")] == ["body", "body.n"]
    (missing,) = compile_matcher({"$schema": "none.json"}).match({}, context, "")
    assert "cannot be read" in missing.actual


def test_snapshot_is_written_on_demand_and_compared_ever_after(tmp_path: Path) -> None:
    matcher = compile_matcher({"$snapshot": "result", "ignore": ["at"]})
    (first,) = matcher.match({"a": 1, "at": 5}, Context(folder=tmp_path), "")
    assert "--update-snapshots" in first.actual
    assert matcher.match({"a": 1, "at": 5}, Context(folder=tmp_path, update_snapshots=True), "") == []
    assert matcher.match({"a": 1, "at": 6}, Context(folder=tmp_path), "") == []
    assert [m.path for m in matcher.match({"a": 2, "b": 1}, Context(folder=tmp_path), "")] == ["a", "b"]


class TestCollection:
    """`count`, `each`, `items`, `unordered`, `contains`, `unique`."""

    def check(self, raw: Any, actual: list[Any]) -> list[str]:
        return [f"{m.path}: {m.actual}" for m in compile_collection(raw).match(actual, Context(), "")]

    def test_takes(self) -> None:
        items = [{"id": 1, "ok": True}, {"id": 2, "ok": True}]
        whole = {
            "count": 2,
            "each": {"ok": True},
            "unordered": [{"id": 2}, {"id": 1}],
            "contains": {"id": 2},
            "unique": "id",
        }
        assert self.check(whole, items) == []
        assert self.check({"items": [{"id": 1}, {"id": 2}]}, items) == []

    def test_each_over_nothing_fails(self) -> None:
        """Nothing passes vacuously."""
        assert self.check({"each": {"ok": True}}, []) != []
        assert self.check({"count": {"$gte": 0}, "each": {"ok": True}}, []) != []

    def test_each_over_nothing_is_right_when_nothing_is_meant(self) -> None:
        assert self.check({"count": 0, "each": {"ok": True}}, []) == []

    def test_unique_names_the_twin(self) -> None:
        assert self.check({"unique": "id"}, [{"id": 1}, {"id": 2}, {"id": 1}]) == ["[2].id: 1, as has [0]"]

    def test_unique_needs_the_value(self) -> None:
        assert self.check({"unique": "id"}, [{}]) != []


ITEMS = [{"id": 1, "state": "open", "by": "a"}, {"id": 2, "state": "done", "by": "b"}]


@pytest.mark.parametrize(
    "raw",
    [
        {"contains": {"id": 2, "state": "open", "by": "b"}},
        {"unordered": [ITEMS[0], {"id": 2, "state": "open", "by": "b"}]},
    ],
    ids=["contains", "unordered"],
)
def test_the_nearest_candidate_is_told_with_the_keys_that_differ(raw: Any) -> None:
    found = compile_collection(raw).match(ITEMS, Context(), "")
    assert [each.actual.partition(": state")[2] for each in found] == [' is "done", not "open"']
    assert '"id": 2' in found[0].actual


def test_an_item_of_each_is_told_with_the_key_that_differs() -> None:
    found = compile_collection({"each": {"state": "open"}}).match(ITEMS, Context(), "")
    assert [(each.path, each.expected, each.actual) for each in found] == [("[1].state", '"open"', '"done"')]


def test_where_nothing_is_alike_what_is_there_is_told() -> None:
    found = compile_matcher({"$contains": 7}).match([1, 2, 3, 4], Context(), "")
    assert found[0].actual == "no item like it; there are 1, 2, 3 and 1 more"
    assert compile_matcher({"$contains": 7}).match([], Context(), "")[0].actual == "[]"


@pytest.mark.parametrize(
    ("expected", "names", "good", "bad"),
    [
        ({"$one_of": "${v}"}, ["YES", "NO"], "NO", "no"),
        ({"$unordered": "${v}"}, [1, 2], [2, 1], [2]),
        ({"$exact": "${v}"}, {"a": 1}, {"a": 1}, {"a": 1, "b": 2}),
        ({"$between": "${v}"}, [1, 3], 2, 4),
        ({"$approx": "${v}"}, [1, 0.5], 1.2, 2),
        ({"$within": [T, "${v}"]}, "5s", "2026-11-22T12:00:04Z", "2026-11-22T12:00:06Z"),
        ({"$within": "${v}"}, [T, "5s"], T, "2026-11-22T12:00:06Z"),
        ({"$one_of": "${v}"}, ["$any", "${n}"], "$any", "else"),
    ],
)
def test_an_argument_may_be_looked_up(expected: Any, names: Any, good: Any, bad: Any) -> None:
    """What is found is meant literally: it holds data, no matchers and no names."""
    context = Context(lambda raw: resolve(raw, Scope({"v": names}, Path())))
    matcher = compile_matcher(expected)
    assert matcher.match(good, context, "") == []
    assert len(matcher.match(bad, context, "")) == 1


def test_an_argument_that_is_looked_up_and_unfit_is_a_mismatch_that_says_so() -> None:
    context = Context(lambda raw: resolve(raw, Scope({"v": 3}, Path())))
    (mismatch,) = compile_matcher({"$one_of": "${v}"}).match(1, context, "")
    assert mismatch.expected == "a list with at least one item"
    assert mismatch.actual == "a list is needed, after looking up its names: 3"


def test_nothing_may_be_expected_by_a_name() -> None:
    context = Context(lambda raw: resolve(raw, Scope({"none": 0, "ids": [2, 1]}, Path())))
    assert compile_collection({"count": "${none}", "each": {"a": 1}}).match([], context, "") == []
    assert compile_collection({"unordered": "${ids}"}).match([1, 2], context, "") == []
