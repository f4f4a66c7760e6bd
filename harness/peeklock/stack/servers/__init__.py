"""Servers that run, whoever started them: Postgres, Azurite, the emulator, the relay."""

from __future__ import annotations

__all__ = [
    "admin",
    "blobs",
    "group",
    "ledger_feed",
    "postgres",
    "postgres_settings",
    "relay",
    "server",
    "servicebus",
    "wanted",
]
