"""Clients of other services' HTTP."""

from __future__ import annotations

from collections.abc import Mapping

import httpx

from services.shared import tls


def http_client(timeout: float, base_url: str = "", headers: Mapping[str, str] | None = None) -> httpx.AsyncClient:
    """Return a client for ``base_url``, or for any address when there is none; ``timeout`` in seconds."""
    return httpx.AsyncClient(
        base_url=base_url,
        headers=headers,
        timeout=timeout,
        verify=tls.nobody() if base_url.lower().startswith("http://") else tls.authorities("http"),
        # servers close idle connections too, uvicorn after 5 s: whoever sends in that very moment gets no answer
        limits=httpx.Limits(keepalive_expiry=1.0),
    )
