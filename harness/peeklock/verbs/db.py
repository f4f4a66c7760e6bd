"""`db: {query: "SELECT …"}` — SQL against the database of the case."""

from __future__ import annotations

import datetime as dt
import decimal
import uuid
from typing import Any

from pydantic import Field, model_validator

from peeklock.engine.context import CaseContext
from peeklock.engine.failure import VerbFailed
from peeklock.engine.verb import Found, Verb
from peeklock.scenario.topology import FilePath, Model

MOST_ROWS = 100_000


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
    import psycopg

    seconds = context.deadline.left
    try:
        count, rows = context.clients.loop.run(_execute(arguments, context.clients.postgres_url), seconds)
    except TimeoutError:
        raise VerbFailed(f"SQL: no result in {seconds:.3g} s; the statement was cancelled") from None
    except psycopg.Error as error:
        state = f" ({error.sqlstate})" if error.sqlstate else ""
        raise VerbFailed(f"SQL{state}: {str(error).strip()}") from None
    if arguments.query is None:
        context.note("postgres", f"execute: {count} rows")
        return Found({"count": max(count, 0)})
    return Found({"count": len(rows), "rows": rows, "first": rows[0] if rows else None})


async def _execute(arguments: DbArguments, url: str) -> tuple[int, list[dict[str, Any]]]:
    import psycopg
    from psycopg.rows import dict_row

    sql = arguments.query or arguments.execute or (arguments.file.read_text(encoding="utf-8") if arguments.file else "")
    async with await psycopg.AsyncConnection.connect(url, autocommit=True, row_factory=dict_row) as connection:
        cursor = await connection.execute(sql.encode(), arguments.params or None)
        if arguments.query is None:
            return cursor.rowcount, []
        found = await cursor.fetchmany(MOST_ROWS + 1)
    if len(found) > MOST_ROWS:
        raise VerbFailed(f"the query has more than {MOST_ROWS} rows: ask for fewer, as with count(*) or LIMIT")
    rows = [{key: _plain(value) for key, value in row.items()} for row in found]
    return len(rows), rows


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
    loads=("psycopg",),
)
