"""Clients of other services' HTTP."""

from __future__ import annotations

import ssl
from collections.abc import Mapping

import httpx


def http_client(timeout: float, base_url: str = "", headers: Mapping[str, str] | None = None) -> httpx.AsyncClient:
    """Return a client for ``base_url``, or for any address when there is none; ``timeout`` in seconds."""
    # to load the certificates of all authorities takes 20 to 40 ms: without TLS none is needed, and none is trusted
    plain = base_url.lower().startswith("http://")
    return httpx.AsyncClient(
        base_url=base_url,
        headers=headers,
        timeout=timeout,
        verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if plain else True,
        # servers close idle connections too, uvicorn after 5 s: whoever sends in that very moment gets no answer
        limits=httpx.Limits(keepalive_expiry=1.0),
    )
