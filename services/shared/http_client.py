"""Clients of other services' HTTP."""

from __future__ import annotations

from collections.abc import Mapping

import httpx


def http_client(timeout: float, base_url: str = "", headers: Mapping[str, str] | None = None) -> httpx.AsyncClient:
    """Return a client for ``base_url``, or for any address when there is none; ``timeout`` in seconds."""
    return httpx.AsyncClient(
        base_url=base_url,
        headers=headers,
        timeout=timeout,
        # no certificates where there is no TLS: to load them takes 20 to 40 ms
        verify=not base_url.startswith("http://"),
        # servers close idle connections too, uvicorn after 5 s: whoever sends in that very moment gets no answer
        limits=httpx.Limits(keepalive_expiry=1.0),
    )
