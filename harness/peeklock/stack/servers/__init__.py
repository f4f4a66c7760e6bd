"""Servers that run, whoever started them: Postgres, Azurite, the emulator, the relay."""

from __future__ import annotations

__all__ = [
    "admin",
    "blob_http",
    "blobs",
    "given_postgres",
    "group",
    "ledger_feed",
    "made",
    "postgres",
    "postgres_settings",
    "relay",
    "server",
    "servicebus",
    "wanted",
]
