"""Looks at a Postgres database: which one it is, and what is in it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import psycopg

from peeklock.preflight.facts import Clock, FoundDatabase, Unreached

_IDENTITY = """\
SELECT current_database(), d.oid::text, pg_postmaster_start_time()::text, extract(epoch FROM clock_timestamp())::float8
FROM pg_database d WHERE d.datname = current_database()"""
_SERVER = "SELECT system_identifier::text FROM pg_control_system()"
_COLUMNS = """\
SELECT n.nspname || '.' || c.relname, a.attname,
       format_type(a.atttypid, a.atttypmod) || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relkind IN ('r', 'p', 'v', 'm') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
ORDER BY 1, a.attnum"""
_WHY = {
    "28P01": "the server refuses the password",
    "28000": "the server does not let this user in",
    "3D000": "the server has no such database",
    "53300": "the server has no room for another connection",
    "57P03": "the server is starting, or going down",
}
_WORDS = (
    ("password authentication failed", "28P01"),
    ("does not exist", "3D000"),
    ("no pg_hba.conf entry", "28000"),
    ("too many clients", "53300"),
    ("starting up", "57P03"),
    ("shutting down", "57P03"),
)


def look_at_database(dsn: str, seconds: float) -> FoundDatabase | Unreached:
    """Connect and look, read-only; what libpq says is never shown, since it repeats parts of what it was given."""
    try:
        with psycopg.connect(
            dsn, connect_timeout=max(2, int(seconds)), application_name="peeklock preflight", autocommit=True
        ) as connection:
            connection.read_only = True
            before = time.time()
            row = connection.execute(_IDENTITY).fetchone()
            after = time.time()
            assert row is not None
            name, oid, started, now = row
            try:
                (server,) = connection.execute(_SERVER).fetchone() or (started,)
            except psycopg.Error:  # a service that runs Postgres for others may not tell
                server = started
            clock = Clock(float(now), (before + after) / 2, (after - before) / 2)
            tables = _tables(connection.execute(_COLUMNS).fetchall())
            return FoundDatabase((server, oid), name, tables, _revisions(connection, tables), clock)
    except (psycopg.Error, ValueError, UnicodeError) as error:
        return _unreached(error)


def _tables(rows: Sequence[Any]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for table, column, kind in rows:
        columns = found.setdefault(table, {})
        if column is not None:
            columns[column] = kind
    return found


def _revisions(connection: Any, tables: dict[str, dict[str, str]]) -> frozenset[str]:
    if "public.alembic_version" not in tables:
        return frozenset()
    try:
        return frozenset(row[0] for row in connection.execute("SELECT version_num FROM public.alembic_version"))
    except psycopg.Error:  # no right to read it
        return frozenset()


def _unreached(error: Exception) -> Unreached:
    text = str(error)
    state = getattr(error, "sqlstate", None) or next((code for word, code in _WORDS if word in text), None)
    if state in _WHY:
        return Unreached(_WHY[state], refused=True)
    for word, why in (
        ("Connection refused", "nothing listens there"),
        ("could not translate host name", "there is no host of that name"),
        ("failed to resolve host", "there is no host of that name"),
        ("timeout", "there was no answer in time"),
        ("SSL", "the two cannot agree on TLS (sslmode)"),
        ("No such file", "there is no such socket"),
        ("unreachable", "the network does not reach it"),
    ):
        if word in text:
            return Unreached(why)
    return Unreached(f"the connection failed ({type(error).__name__}{f' {state}' if state else ''})")
