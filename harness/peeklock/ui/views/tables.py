"""Tables of the environment's database, to look at: every look is a transaction that can only read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from peeklock.errors import PeeklockError
from peeklock.redaction import redact
from peeklock.ui.chosen import Chosen
from peeklock.ui.shown import brief
from peeklock.ui.view import Document, Query, Refused, whole

MOST_ROWS = 50
"""Of a page."""
MOST_COUNTED = 100_000
_MOST_TABLES = 200
_LONGEST_VALUE = 4 << 10
_MARGIN = 8 << 10
"""Characters behind those that are shown: no secret is cut in half there."""
_TABLES = """
SELECT c.oid::bigint, n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY 2, 3 LIMIT %s
"""
_COLUMNS = """
SELECT a.attname, format_type(a.atttypid, a.atttypmod), coalesce(a.attnum = ANY (i.indkey), false) FROM pg_attribute a
LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary
WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""
_OPTIONS = (
    "-c default_transaction_read_only=on -c statement_timeout=5000 -c lock_timeout=1000 -c search_path=pg_catalog"
)


class Tables:
    """Implements `View`."""

    def __init__(self, chosen: Chosen) -> None:
        self._chosen = chosen

    @property
    def looks(self) -> Mapping[str, Callable[[Query], Any]]:
        return {"tables": self._listed, "rows": self._rows}

    @property
    def acts(self) -> Mapping[str, Callable[[Document], Any]]:
        return {}

    def _listed(self, _query: Query) -> list[dict[str, Any]]:
        with self._connected() as database:
            found = database.execute(_TABLES, (_MOST_TABLES,)).fetchall()
            return [
                {"id": oid, "name": brief(_name(schema, table)), **_count(database, schema, table)}
                for oid, schema, table in found
            ]

    def _rows(self, query: Query) -> dict[str, Any]:
        oid, first = whole(query, "table", 0), whole(query, "from", 0)
        with self._connected() as database:
            named = {each[0]: each[1:] for each in database.execute(_TABLES, (_MOST_TABLES,)).fetchall()}
            if oid not in named:
                raise Refused(409, "There is no such table (any more).", "look at the list again")
            schema, table = named[oid]
            columns = database.execute(_COLUMNS, (oid,)).fetchall()
            values = [
                sql.SQL("left({}::text, {})").format(sql.Identifier(name), sql.Literal(_LONGEST_VALUE + _MARGIN))
                for name, _, _ in columns
            ]
            keys: list[sql.Composable] = [sql.Identifier(name) for name, _, key in columns if key]
            order = keys or [sql.SQL("tableoid, ctid")]
            statement = sql.SQL("SELECT {} FROM {} ORDER BY {} LIMIT {} OFFSET {}").format(
                sql.SQL(", ").join(values), sql.Identifier(schema, table), sql.SQL(", ").join(order),
                sql.Literal(MOST_ROWS), sql.Literal(first),
            )  # fmt: skip
            rows = database.execute(statement).fetchall() if columns else []
            counted = _count(database, schema, table)
        return {
            "name": brief(_name(schema, table)),
            "columns": [{"name": brief(name), "type": brief(kind), "key": key} for name, kind, key in columns],
            "rows": [[None if value is None else brief(value) for value in row] for row in rows],
            **counted,
        }

    @contextmanager
    def _connected(self) -> Iterator[psycopg.Connection[Any]]:
        standing = self._chosen.standing()
        if standing.postgres_url is None:
            raise PeeklockError(
                f"the environment {standing.name} has no Postgres", fix="`stack: {postgres: …}` in its file"
            )
        try:
            # of one look alone: the database is dropped and made anew for every case
            with psycopg.connect(
                standing.postgres_url, options=_OPTIONS, connect_timeout=5, application_name="peeklock ui"
            ) as database:
                yield database
        except psycopg.Error as error:
            raise PeeklockError("Postgres does not tell", actual=redact(str(error).strip())) from None


def _count(database: psycopg.Connection[Any], schema: str, table: str) -> dict[str, Any]:
    """Return how many rows a table has; `more` when only those up to a bound were counted."""
    statement = sql.SQL("SELECT count(*) FROM (SELECT 1 FROM {} LIMIT {}) counted").format(
        sql.Identifier(schema, table), sql.Literal(MOST_COUNTED + 1)
    )
    row = database.execute(statement).fetchone()
    assert row is not None
    return {"count": min(row[0], MOST_COUNTED), "more": row[0] > MOST_COUNTED}


def _name(schema: str, table: str) -> str:
    return table if schema == "public" else f"{schema}.{table}"
