"""Jobs in Postgres, as the API sees them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import DictRow

from services.shared.database import Pool, Row

ROLE = "sitefit_api"

_STATUS = """
    SELECT id::text AS job_id, app_id, definition, version, status, attempts, error, correlation_id,
           created_at, enqueued_at, started_at, ended_at
    FROM job
"""


@dataclass(frozen=True, slots=True)
class JobRequest:
    """What a client asks for. ``inputs_hash`` is that of ``inputs``."""

    app_id: str
    definition: str
    version: str
    inputs: dict[str, Any]
    inputs_hash: str


class JobStore:
    """Adds jobs and reads them. ``app_id``, where given, leaves only that app's jobs in sight: the database sees to it."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def open(self, request: JobRequest, correlation_id: str, ttl: float) -> tuple[Row, bool]:
        """Return the job for ``request`` and whether it is new.

        One that asked for the same within ``ttl`` seconds, and has not failed, is the same job. Requests that come at once
        wait for each other.
        """
        asked = (request.app_id, request.definition, request.version, request.inputs_hash)
        async with self._as_app(request.app_id) as connection:
            await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (json.dumps(asked),))
            found = await (
                await connection.execute(
                    _STATUS
                    + """
                    WHERE app_id = %s AND definition = %s AND version = %s AND inputs_hash = %s AND status <> 'failed'
                      AND created_at > now() - make_interval(secs => %s)
                    ORDER BY created_at DESC LIMIT 1
                    """,
                    (*asked, ttl),
                )
            ).fetchone()
            if found is not None:
                return found, False
            added = await (
                await connection.execute(
                    """
                    INSERT INTO job (app_id, definition, version, inputs_hash, inputs, correlation_id)
                    VALUES (%s, %s, %s, %s, %s, %s) RETURNING id
                    """,
                    (*asked, json.dumps(request.inputs), correlation_id),
                )
            ).fetchone()
            assert added is not None
            job = await _one(connection, added["id"])
            assert job is not None
            return job, True

    async def enqueued(self, job_id: str) -> None:
        """Note that the queue has confirmed the job's message."""
        async with self._as_app(None) as connection:
            await connection.execute(
                "UPDATE job SET enqueued_at = now() WHERE id = %s AND enqueued_at IS NULL", (job_id,)
            )

    async def find(self, job_id: UUID, app_id: str | None) -> Row | None:
        """Return the job, or None."""
        async with self._as_app(app_id) as connection:
            return await _one(connection, job_id)

    async def result(self, job_id: UUID, app_id: str | None) -> Row | None:
        """Return the job with ``outputs_json`` (text, as it was stored), ``score`` and its ``artifacts``, or None."""
        async with self._as_app(app_id) as connection:
            cursor = await connection.execute(
                """
                SELECT id::text AS job_id, status, error, correlation_id, outputs_json::text AS outputs_json, score
                FROM job_with_result WHERE id = %s
                """,
                (job_id,),
            )
            job = await cursor.fetchone()
            if job is None:
                return None
            cursor = await connection.execute(
                "SELECT kind, blob_name, content_type, size, sha256 FROM artifact WHERE job_id = %s ORDER BY kind",
                (job_id,),
            )
            return {**job, "artifacts": await cursor.fetchall()}

    @asynccontextmanager
    async def _as_app(self, app_id: str | None) -> AsyncIterator[psycopg.AsyncConnection[DictRow]]:
        async with self._pool.connection() as connection:
            await connection.execute("SELECT set_config('sitefit.app_id', %s, true)", (app_id or "",))
            yield connection


async def _one(connection: psycopg.AsyncConnection[DictRow], job_id: UUID) -> Row | None:
    return await (await connection.execute(_STATUS + "WHERE id = %s", (job_id,))).fetchone()
