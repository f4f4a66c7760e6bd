"""The backend that runs everything in containers, and the images that it runs."""

from __future__ import annotations

__all__ = ["discovery", "engine", "errors", "images", "microsoft", "ownership", "stack"]
