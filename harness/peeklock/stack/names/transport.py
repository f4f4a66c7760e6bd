"""Production names for clients in this process: the steps of a scenario, and stand-ins that fetch what a link names."""

from __future__ import annotations

import functools
import ssl
from collections.abc import Mapping

import certifi
import httpx

from peeklock.stack.names.names import Names


def trusting(names: Names | None) -> ssl.SSLContext:
    """Return what httpx trusts anyway, and who has signed the certificates of names."""
    return _context("" if names is None else names.authority)


@functools.lru_cache(maxsize=4)
def _context(authority: str) -> ssl.SSLContext:
    """Return the same one for the same authority: reading what is trusted takes 20 to 40 ms."""
    context = ssl.create_default_context(cafile=certifi.where())
    if authority:
        context.load_verify_locations(cadata=authority)
    return context


def transports(names: Names | None) -> Mapping[str, httpx.AsyncBaseTransport]:
    """Return the `mounts` of an `httpx.AsyncClient` for which names lead to their environment."""
    if names is None or not names.ports:
        return {}
    context = trusting(names)
    return {f"all://{name}": _Led(port, context) for name, port in names.ports.items()}


class _Led(httpx.AsyncHTTPTransport):
    """Connects to a port of this machine, whatever the URL says, and asks for the certificate of the name."""

    def __init__(self, port: int, context: ssl.SSLContext) -> None:
        super().__init__(verify=context)
        self._port = port

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request.extensions = {**request.extensions, "sni_hostname": request.url.host}
        request.url = request.url.copy_with(host="127.0.0.1", port=self._port)
        return await super().handle_async_request(request)
