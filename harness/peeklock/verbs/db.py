"""`db: {query: "SELECT …"}` — SQL against the database of the case."""

from __future__ import annotations

import datetime as dt
import decimal
import uuid
from typing import Any

from pydantic import Field, model_validator

from peeklock.engine.context import CaseContext
from peeklock.engine.verb import Found, Verb
from peeklock.scenario.fields import FilePath, Model


class DbArguments(Model):
    """A query, which observes; or a statement or a file of them, which acts."""

    query: str | None = None
    execute: str | None = None
    file: FilePath | None = Field(None, description="a file of statements")
    params: dict[str, Any] | list[Any] = Field([], description="for %s or %(name)s")

    @model_validator(mode="after")
    def _one(self) -> DbArguments:
        if sum(value is not None for value in (self.query, self.execute, self.file)) != 1:
            raise ValueError("say exactly one of query, execute or file")
        return self


def run(arguments: DbArguments, context: CaseContext) -> Found:
    """Return `{count, rows, first}` of a query, `{count}` of a statement."""
    from peeklock.engine import database  # psycopg: 0.15 s

    sql = arguments.query or arguments.execute or (arguments.file.read_text(encoding="utf-8") if arguments.file else "")
    loop, url, seconds = context.clients.loop, context.clients.postgres_url, context.deadline.left
    if arguments.query is None:
        count = database.execute(loop, url, sql, arguments.params, seconds)
        context.note("postgres", f"execute: {count} rows")
        return Found({"count": count})
    found = database.query(loop, url, sql, arguments.params, seconds)
    rows = [{key: _plain(value) for key, value in row.items()} for row in found]
    return Found({"count": len(rows), "rows": rows, "first": rows[0] if rows else None})


def _plain(value: Any) -> Any:
    """Return a value as JSON would hold it."""
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return int(value) if value.is_finite() and value == value.to_integral_value() else float(value)
    if isinstance(value, dt.timedelta):
        return value.total_seconds()
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return value if value is None or isinstance(value, str | int | float) else str(value)


VERB = Verb(
    "db",
    DbArguments,
    "SQL against the database",
    observes=lambda raw: isinstance(raw, dict) and "query" in raw,
    shorthand=lambda raw: {"query": raw} if isinstance(raw, str) else raw,
    run=run,
    loads=("peeklock.engine.database",),
)
