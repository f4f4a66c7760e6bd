"""Whom the connections of a service trust."""

from __future__ import annotations

import functools
import ssl
from typing import Literal

import httpx


@functools.cache
def authorities(_protocol: Literal["amqp", "http"]) -> ssl.SSLContext:
    """Return the context of all encrypted connections of one protocol, which trusts ``SSL_CERT_FILE``, else what Python trusts.

    To load the certificates takes 20 to 40 ms, and clients left to themselves do so for each connection. Clients write the
    protocols that they offer into their context, so that two protocols must not share one.
    """
    return httpx.create_ssl_context()


@functools.cache
def nobody() -> ssl.SSLContext:
    """Return a context that trusts nobody, for connections that are not encrypted: clients ask for one all the same."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
