"""Looks at the first bytes of a connection: AMQP or HTTP (REST, administration, WebSocket), on one port."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from .connection import AmqpConnection, AmqpProtocol
from .connections import in_tls
from .context import NamespaceContext

_METHODS = (b"GET ", b"PUT ", b"POST", b"DELE", b"HEAD", b"OPTI", b"PATC")


class ProtocolDetector(asyncio.Protocol):
    """Hands a connection over to what understands it as soon as four bytes have come; `http` makes what does HTTP."""

    def __init__(self, context: NamespaceContext, http: Callable[[], asyncio.Protocol]) -> None:
        self._context = context
        self._http = http
        self._first = b""
        self._transport: asyncio.Transport | None = None
        self._patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the first bytes, no longer than for any connection that does not authenticate (S-5)."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._context.connections.other.add(transport)
        self._context.connections.unauthenticated(transport, tls=in_tls(transport))
        self._patience = self._context.loop.call_later(self._context.limits.unauthenticated, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone without a word; TLS 1.3 tells only here that it distrusts the certificate."""
        self._leave()
        if exc is not None and hasattr(exc, "library"):
            from .tls import why_failed  # here: it was loaded by whoever spoke TLS

            self._context.log("tls.failed", reason=why_failed(exc))

    def data_received(self, data: bytes) -> None:
        """Decide, and hand over what has come."""
        self._first += data
        transport = self._transport
        if len(self._first) < 4 or transport is None:
            return
        crowded = self._context.connections.crowded
        self._leave()
        if self._first.startswith(_METHODS):
            http = self._http()
            transport.set_protocol(http)
            http.connection_made(transport)
            http.data_received(self._first)
            return
        connection = AmqpConnection(self._context, crowded=crowded)
        protocol = AmqpProtocol(connection)
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        connection.feed(self._first)

    def _leave(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
        if self._transport is not None:
            self._context.connections.other.discard(self._transport)
            self._context.connections.authenticated(self._transport)
