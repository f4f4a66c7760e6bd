"""A port of its own for what speaks HTTP: the control API, the token issuer."""

from __future__ import annotations

import asyncio

from peeklock.servicebus.loopback import bind

from .connection import HttpConnection
from .service import HttpService

CONNECTIONS = 512


class HttpListener:
    """Listens for a service. Above `connections` at a time clients are told that there are too many, above twice as many
    they are hung up on."""

    def __init__(self, service: HttpService, *, connections: int = CONNECTIONS) -> None:
        self._service = service
        self._most = connections
        self._open: set[asyncio.Transport] = set()
        self._listeners: list[asyncio.Server] = []

    async def start(self, address: str, port: int) -> int:
        """Listen on `address`; return the port. Raises `OSError` when it is taken."""
        loop = asyncio.get_running_loop()
        for listening in bind(address, port):
            self._listeners.append(await loop.create_server(lambda: _Counted(self._service, self), sock=listening))
        return int(self._listeners[0].sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Close the port and every connection."""
        for listener in self._listeners:
            listener.close()
        for transport in list(self._open):
            transport.close()
        await asyncio.sleep(0)

    def enter(self, transport: asyncio.Transport) -> str | None:
        """Count a connection; return why it cannot be served, or None. One too many is hung up on."""
        self._open.add(transport)
        if len(self._open) > 2 * self._most:
            transport.abort()
        if len(self._open) > self._most:
            return f"There are more than {self._most} connections: close some."
        return None

    def leave(self, transport: asyncio.Transport) -> None:
        """Forget a connection."""
        self._open.discard(transport)


class _Counted(HttpConnection):
    def __init__(self, service: HttpService, listener: HttpListener) -> None:
        super().__init__(service)
        self._listener = listener
        self._counted: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._counted = transport
        reason = self._listener.enter(transport)
        if reason is not None:
            self._turned_away = self._service.refusal(503, reason)
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._counted is not None:
            self._listener.leave(self._counted)
        super().connection_lost(exc)
