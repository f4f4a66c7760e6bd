"""The backend that runs cases on the real cloud: a namespace, a storage account and a Postgres that the user names."""

from __future__ import annotations

__all__ = ["resources", "stack"]
