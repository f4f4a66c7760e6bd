"""Image queries and their results in Postgres."""

from __future__ import annotations

from typing import Any

from services.shared.database import Pool, Row

# Other replicas listen on it for the ids of queries that have got their result.
DONE_CHANNEL = "image_query_done"

_COLUMNS = """
    id AS image_query_id, detector_id, status, answer, confidence, count, reason, model_version, latency_ms,
    created_at, completed_at
"""


class QueryStore:
    """A query goes PENDING (known, not yet confirmed by the queue), QUEUED, DONE; it never goes back."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def open(self, query_id: str, detector_id: str, blob_name: str, correlation_id: str | None) -> Row:
        """Make the query known as PENDING, or return it as it is when a retried request made it before."""
        async with self._pool.connection() as connection:
            await connection.execute(
                """
                INSERT INTO image_queries (id, detector_id, blob_name, status, correlation_id)
                VALUES (%s, %s, %s, 'PENDING', %s)
                ON CONFLICT (id) DO NOTHING
                """,
                (query_id, detector_id, blob_name, correlation_id),
            )
            return await _find(connection, query_id) or {}

    async def queued(self, query_id: str) -> None:
        """Note that the queue has confirmed the message; a result that was faster stands."""
        async with self._pool.connection() as connection:
            await connection.execute(
                "UPDATE image_queries SET status = 'QUEUED' WHERE id = %s AND status = 'PENDING'", (query_id,)
            )

    async def find(self, query_id: str) -> Row | None:
        """Return the query, or None."""
        async with self._pool.connection() as connection:
            return await _find(connection, query_id)

    async def finished(self, query_ids: list[str]) -> list[str]:
        """Return those of ``query_ids`` that have their result."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT id FROM image_queries WHERE id = ANY(%s) AND status = 'DONE'", (query_ids,)
            )
            return [row["id"] for row in await cursor.fetchall()]

    async def keep_result(self, result: dict[str, Any], correlation_id: str | None) -> bool:
        """Store ``result`` and tell the other replicas; return False when the query had its result already.

        The first result stands, unless it tells that there was none for the time being. One for a query that this API never saw (a client may write to the queue by the
        contract) is kept as well.
        """
        optional = {"count": None, "reason": None}
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                """
                INSERT INTO image_queries AS query
                    (id, status, answer, confidence, count, reason, model_version, latency_ms, correlation_id,
                     completed_at)
                VALUES
                    (%(image_query_id)s, 'DONE', %(answer)s, %(confidence)s, %(count)s, %(reason)s, %(model_version)s,
                     %(latency_ms)s, %(correlation_id)s, now())
                ON CONFLICT (id) DO UPDATE SET
                    status = 'DONE', answer = excluded.answer, confidence = excluded.confidence,
                    count = excluded.count, reason = excluded.reason, model_version = excluded.model_version,
                    latency_ms = excluded.latency_ms, completed_at = excluded.completed_at
                WHERE query.status <> 'DONE' OR (query.reason = 'unavailable' AND excluded.reason IS DISTINCT FROM 'unavailable')
                """,
                {**optional, **result, "correlation_id": correlation_id},
            )
            await connection.execute("SELECT pg_notify(%s, %s)", (DONE_CHANNEL, result["image_query_id"]))
            return cursor.rowcount == 1


async def _find(connection: Any, query_id: str) -> Row | None:
    cursor = await connection.execute(
        f"SELECT {_COLUMNS} FROM image_queries WHERE id = %s",  # noqa: S608 - only a constant of this module
        (query_id,),
    )
    row: Row | None = await cursor.fetchone()
    return row
