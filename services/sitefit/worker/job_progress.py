"""How a job moves on in Postgres, as the worker moves it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from services.shared.database import Pool, Row
from services.sitefit.worker.artifacts import StoredArtifact

ROLE = "sitefit_worker"


class JobProgress:
    """queued → running → succeeded or failed, and never back. Each step is one transaction."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def claim(self, job_id: str) -> Row | None:
        """Begin an attempt: return the job, now running; as it is when it has ended before; None when there is none."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                """
                UPDATE job SET status = 'running', attempts = attempts + 1, started_at = coalesce(started_at, now())
                WHERE id = %s AND status IN ('queued', 'running')
                RETURNING id::text AS job_id, definition, version, inputs, status, attempts, correlation_id
                """,
                (job_id,),
            )
            job = await cursor.fetchone()
            if job is None:
                cursor = await connection.execute("SELECT id::text AS job_id, status FROM job WHERE id = %s", (job_id,))
                job = await cursor.fetchone()
            return job

    async def succeed(self, job_id: str, outputs: str, score: float, artifacts: Sequence[StoredArtifact]) -> bool:
        """Keep the result (``outputs`` is JSON text, kept to the letter) and end the job, all or nothing.

        False when another worker was first: then its result stands and this one is dropped.
        """
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "UPDATE job SET status = 'succeeded', ended_at = now() WHERE id = %s AND status = 'running'", (job_id,)
            )
            if cursor.rowcount == 0:
                return False
            await connection.execute(
                "INSERT INTO result (job_id, outputs_json, score) VALUES (%s, %s, %s)", (job_id, outputs, score)
            )
            for each in artifacts:
                await connection.execute(
                    """
                    INSERT INTO artifact (job_id, kind, blob_name, content_type, size, sha256)
                    VALUES (%s, %s, %s, %s, %s, %s)
                    """,
                    (job_id, each.kind, each.blob_name, each.content_type, each.size, each.sha256),
                )
            return True

    async def fail(self, job_id: str, error: str) -> bool:
        """End the job without a result; False, and no change, when it has ended."""
        ended = await self._execute(
            "UPDATE job SET status = 'failed', error = %s, ended_at = now() WHERE id = %s AND status IN ('queued', 'running')",
            (error[:2000], job_id),
        )
        return ended == 1

    async def _execute(self, statement: Any, parameters: tuple[Any, ...]) -> int:
        async with self._pool.connection() as connection:
            return (await connection.execute(statement, parameters)).rowcount
