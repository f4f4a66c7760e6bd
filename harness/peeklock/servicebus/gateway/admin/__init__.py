"""The administration API: entities and rules as ATOM entries over HTTP, as the SDKs' administration clients ask for them
(S-81 to S-87). Loaded by the first request."""

from __future__ import annotations

from .request import AdminRequest

__all__ = ["AdminRequest"]
