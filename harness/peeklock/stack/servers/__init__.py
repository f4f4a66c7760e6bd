"""Servers that run, whoever started them: Postgres, Azurite, the emulator, the relay."""

from __future__ import annotations

__all__ = ["blobs", "ledger_feed", "postgres", "relay", "server", "servicebus"]
