"""The backend that runs every dependency as a plain process."""

from __future__ import annotations

__all__ = ["installed_postgres", "lacking", "npm", "postgres", "setup", "stack", "tools"]
