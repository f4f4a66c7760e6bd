"""Alembic's entry."""

from __future__ import annotations

from services.shared.migrations import run_migrations

# Any constant will do, as long as every run uses the same: "op" and the year of the first migration.
run_migrations(lock=0x6F70_2026)
