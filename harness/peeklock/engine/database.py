"""The database of an environment. Costs 0.15 s to import: who needs it does so at the first use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from psycopg.rows import dict_row

from peeklock.engine.event_loop import EventLoop
from peeklock.errors import PeeklockError

MOST_ROWS = 100_000
"""How many rows a query may have."""


class SqlFailed(PeeklockError):
    """The database refused, did not answer in time, or answered with too much."""


def query(
    loop: EventLoop, url: str, sql: str, params: Sequence[Any] | Mapping[str, Any] | None, seconds: float
) -> list[dict[str, Any]]:
    """Return the rows of a query, by column. Raises `SqlFailed`, also after `seconds`: the statement is then cancelled."""
    rows = _bounded(loop, url, sql, params, seconds, rows=True)[1]
    if len(rows) > MOST_ROWS:
        raise SqlFailed(f"the query has more than {MOST_ROWS} rows: ask for fewer, as with count(*) or LIMIT")
    return rows


def execute(
    loop: EventLoop, url: str, sql: str, params: Sequence[Any] | Mapping[str, Any] | None, seconds: float
) -> int:
    """Run statements and return how many rows the last one has changed. Raises `SqlFailed`, as `query` does."""
    return max(0, _bounded(loop, url, sql, params, seconds, rows=False)[0])


def _bounded(
    loop: EventLoop, url: str, sql: str, params: Any, seconds: float, *, rows: bool
) -> tuple[int, list[dict[str, Any]]]:
    try:
        return loop.run(_run(url, sql, params, rows=rows), seconds)
    except TimeoutError:
        raise SqlFailed(f"SQL: no result in {seconds:.3g} s; the statement was cancelled") from None
    except psycopg.Error as error:
        state = f" ({error.sqlstate})" if error.sqlstate else ""
        raise SqlFailed(f"SQL{state}: {str(error).strip()}") from None


async def _run(url: str, sql: str, params: Any, *, rows: bool) -> tuple[int, list[dict[str, Any]]]:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True, row_factory=dict_row) as connection:
        cursor = await connection.execute(sql.encode(), params or None)
        return cursor.rowcount, await cursor.fetchmany(MOST_ROWS + 1) if rows else []
