"""Is a database what the migrations would make of it?"""

from __future__ import annotations

from collections.abc import Iterator

from peeklock.preflight.expected import Schema
from peeklock.preflight.facts import FoundDatabase
from peeklock.preflight.findings import Finding, Report
from peeklock.scenario.errors import suggestion

_BOOK = "public.alembic_version"


def judge(schema: Schema, database: FoundDatabase, where: str, shown: str) -> Report:
    """Judge one database by the tables that the migrations leave. Tables beyond those are nobody's fault."""
    findings = [*_revisions(schema, database, where, shown), *_tables(schema, database, where, shown)]
    return Report(tuple(findings), (f"the tables of {shown} are those of {schema.where}",))


def _revisions(schema: Schema, database: FoundDatabase, where: str, shown: str) -> Iterator[Finding]:
    if schema.revisions and database.revisions != schema.revisions:
        yield Finding(
            "migration-missing",
            f"the database {shown} is not at the migrations' head",
            f"{schema.where}, {where}",
            expected=", ".join(sorted(schema.revisions)),
            actual=", ".join(sorted(database.revisions)) or "no migration was ever run",
            fix="run the migrations (alembic upgrade head), or check which database this is",
        )


def _tables(schema: Schema, database: FoundDatabase, where: str, shown: str) -> Iterator[Finding]:
    for table, columns in schema.tables.items():
        if table == _BOOK:
            continue
        short = table.removeprefix("public.")
        actual = database.tables.get(table)
        if actual is None:
            known = [name.removeprefix("public.") for name in database.tables]
            yield Finding(
                "table-missing",
                f"the database {shown} has no table {short}",
                f"{schema.where}, {where}",
                expected=f"a table {short} with {', '.join(columns)}",
                actual="none of that name" if known else "no table at all",
                fix=suggestion(short, known) or "run the migrations, or check which database this is",
            )
            continue
        wrong = [column for column, kind in columns.items() if actual.get(column) != kind]
        others = [f"{column} {actual[column]}" if column in actual else f"no column {column}" for column in wrong]
        beyond = [f"{column} {kind}" for column, kind in actual.items() if column not in columns]
        if wrong or beyond:
            yield Finding(
                "schema-drift",
                f"the table {short} of {shown} has drifted from the migrations",
                f"{schema.where}, {where}",
                expected="; ".join(f"{column} {columns[column]}" for column in wrong) or "no other columns",
                actual="; ".join([*others, *(f"{each} is in no migration" for each in beyond)]),
                fix="write a migration for what was changed by hand, or run those that are missing",
            )
