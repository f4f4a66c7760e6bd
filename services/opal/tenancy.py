"""One tenant at a time: every transaction says whose it is, and the database shows it nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
from psycopg.rows import DictRow

from services.shared.database import Pool


@asynccontextmanager
async def as_tenant(pool: Pool, tenant_id: str) -> AsyncIterator[psycopg.AsyncConnection[DictRow]]:
    """Yield a connection in a transaction that sees and writes the rows of ``tenant_id`` alone (row-level security)."""
    async with pool.connection() as connection:
        await connection.execute("SELECT set_config('opal.tenant_id', %s, true)", (tenant_id,))
        yield connection
