"""The connection pool, and what a broken connection means to a caller."""

from __future__ import annotations

from typing import Any, LiteralString

import psycopg
from psycopg import sql
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from services.shared.telemetry import untraced

# The database is gone, away, or not migrated yet: the request can be repeated later.
UNAVAILABLE = (psycopg.OperationalError, psycopg.InterfaceError, psycopg.errors.UndefinedTable, PoolTimeout)

Pool = AsyncConnectionPool[psycopg.AsyncConnection[DictRow]]


def connection_pool(database_url: str, role: str | None = None) -> Pool:
    """Return a pool that is not open yet. Rows are dicts. Its connections act as ``role``, if one is given.

    Connections are checked as they are handed out: a failover, or a database that was dropped and restored, leaves
    dead ones behind, and no request should find out for itself.
    """

    async def check(connection: psycopg.AsyncConnection[DictRow]) -> None:
        try:
            with untraced():
                await Pool.check_connection(connection)
        except psycopg.Error:
            # Where one died, those that idle beside it did too: replace them all. The pool by itself tries them one
            # by one, and pauses for 1 s after the second.
            await pool.drain()
            raise

    async def take_role(connection: psycopg.AsyncConnection[DictRow]) -> None:
        if role is not None:
            with untraced():
                await connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
            await connection.commit()

    pool: Pool = AsyncConnectionPool(
        database_url,
        min_size=1,
        max_size=10,
        open=False,
        timeout=5,
        check=check,
        configure=take_role,
        kwargs={"row_factory": dict_row, "connect_timeout": 3},
        connection_class=psycopg.AsyncConnection[DictRow],
    )
    return pool


def database_name(database_url: str) -> str:
    """Return 'host:port/database', without user and password: for logs and pre-flight checks."""
    parts = psycopg.conninfo.conninfo_to_dict(database_url)
    return f"{parts.get('host', 'localhost')}:{parts.get('port', 5432)}/{parts.get('dbname', '')}"


async def check_database(pool: Pool, probe: LiteralString) -> None:
    """Raise unless the database answers and holds this service's tables: ``probe`` is a query on them."""
    async with pool.connection(timeout=2) as connection:
        await connection.execute(probe)


Row = dict[str, Any]
