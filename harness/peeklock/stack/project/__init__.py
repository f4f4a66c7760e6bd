"""Where a project and a user keep what Peeklock makes: the project's folder, the cache."""

from __future__ import annotations

__all__ = ["cache", "commit", "folder", "root"]
