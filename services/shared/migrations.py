"""How Alembic runs the revisions of a service: against ``DATABASE_URL``, one run at a time."""

from __future__ import annotations

import os

from alembic import context
from sqlalchemy import create_engine, pool, text


def run_migrations(lock: int) -> None:
    """Run what Alembic was asked for. ``lock`` is a number of the service's own: a second run waits for the first."""
    if context.is_offline_mode():
        context.configure(url=_url(), literal_binds=True, dialect_opts={"paramstyle": "named"})
        with context.begin_transaction():
            context.run_migrations()
        return
    engine = create_engine(_url(), poolclass=pool.NullPool)
    with engine.connect() as connection:
        context.configure(connection=connection, transaction_per_migration=False)
        with context.begin_transaction():
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": lock})
            context.run_migrations()


def _url() -> str:
    url = os.environ.get("DATABASE_URL")
    if not url:
        raise SystemExit("DATABASE_URL is not set: say which database to migrate")
    scheme, _, rest = url.partition("://")
    return f"postgresql+psycopg://{rest}" if scheme in ("postgres", "postgresql") else url
