"""Schemas that have drifted, and clocks that have."""

from __future__ import annotations

import pytest

from peeklock.preflight import clock, schema
from peeklock.preflight.expected import Schema
from peeklock.preflight.facts import Clock, FoundDatabase

WANTED = Schema(
    "migrations",
    {"public.detectors": {"id": "uuid NOT NULL", "query": "text NOT NULL"}, "public.alembic_version": {"v": "text"}},
    frozenset({"0003"}),
)


@pytest.mark.parametrize(
    ("tables", "revision", "name", "told"),
    [
        ({}, "0003", "table-missing", "no table at all"),
        ({"public.detectorz": {}}, "0003", "table-missing", 'did you mean "detectorz"?'),
        ({"public.detectors": {"id": "uuid NOT NULL", "query": "text"}}, "0003", "schema-drift", "actual: query text"),
        ({"public.detectors": {"id": "uuid NOT NULL"}}, "0003", "schema-drift", "no column query"),
        (
            {"public.detectors": {**WANTED.tables["public.detectors"], "query_text": "text NOT NULL"}},
            "0003",
            "schema-drift",
            "query_text text NOT NULL is in no migration",
        ),
        (WANTED.tables, "0002", "migration-missing", "actual: 0002"),
        (WANTED.tables, "", "migration-missing", "no migration was ever run"),
    ],
)
def test_what_differs_from_the_migrations(tables: dict, revision: str, name: str, told: str) -> None:
    database = FoundDatabase(("s", "1"), "orders", tables, frozenset({revision} - {""}))
    (found,) = schema.judge(WANTED, database, "api.env:1", "db/orders").findings
    assert found.name == name
    assert told in found.text()


def test_tables_beyond_the_migrations_are_no_fault() -> None:
    tables = {**WANTED.tables, "public.mine": {"a": "int"}}
    assert schema.judge(WANTED, FoundDatabase(("s", "1"), "o", tables, WANTED.revisions), "", "").findings == ()


@pytest.mark.parametrize(
    ("shown", "ahead"), [(1000.0, ""), (1004.0, ""), (1090.0, "90 s ahead"), (910.0, "90 s behind")]
)
def test_a_clock_that_is_off(shown: float, ahead: str) -> None:
    found = clock.judge([("the database", "api.env:1", Clock(shown, 1000.0))]).findings
    assert [each.what for each in found] == ([f"the clock of the database is {ahead}"] if ahead else [])


def test_a_clock_that_was_moved_is_held_to_where_it_was_moved() -> None:
    assert clock.judge([("the database", "", Clock(4600.0, 1000.0))], offset=3600.0).findings == ()
    assert clock.judge([("the database", "", Clock(1000.0, 1000.0))], offset=3600.0).findings != ()
