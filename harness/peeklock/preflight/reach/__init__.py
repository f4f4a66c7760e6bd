"""Looks at databases, namespaces and storage accounts: read-only, each within a deadline."""

from __future__ import annotations

__all__ = ["blobs", "database", "looks", "servicebus"]
