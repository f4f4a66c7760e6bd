"""The REST data plane, and the way to the administration API: loaded by the first HTTP client."""

from __future__ import annotations

from .service import RestService

__all__ = ["RestService"]
