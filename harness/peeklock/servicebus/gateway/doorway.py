"""Looks at the first bytes of a connection: AMQP, HTTP (REST, administration, WebSocket) or TLS around them, on one port."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from .peer import Peer

if TYPE_CHECKING:
    from .server import Server

_METHODS = (b"GET ", b"PUT ", b"POST", b"DELE", b"HEAD", b"OPTI", b"PATC")
GRACE = 64
"""How many connections beyond the limit there may be at a time, to be told why they are refused."""
_TLS = b"\x16\x03"


class Doorway(asyncio.Protocol):
    """Hands a connection over to who understands it as soon as four bytes have come. Inside TLS, `secured`, there is no
    TLS once more."""

    def __init__(self, server: Server, *, secured: bool = False) -> None:
        self._server = server
        self._secured = secured
        self._first = b""
        self._transport: asyncio.Transport | None = None
        self._patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the first bytes, no longer than for any peer that does not authenticate (S-5)."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        server = self._server
        if len(server.peers) + len(server.waiting) >= server.limits.connections + GRACE:
            server.log("connection.aborted", reason="far too many connections")
            transport.abort()
            return
        server.waiting.add(transport)
        server.meet(transport)
        self._patience = self._server.loop.call_later(self._server.limits.unauthenticated, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Whoever it was has gone without a word."""
        self._leave()

    def data_received(self, data: bytes) -> None:
        """Decide, and hand over what has come."""
        self._first += data
        transport = self._transport
        if len(self._first) < 4 or transport is None:
            return
        crowded = self._server.crowded
        self._leave()
        if self._first.startswith(_METHODS):
            from .rest_connection import RestConnection  # here: AMQP clients need nothing of it

            rest = RestConnection(self._server)
            transport.set_protocol(rest)
            rest.connection_made(transport)
            rest.data_received(self._first)
            return
        if self._first.startswith(_TLS) and not self._secured:
            from .tls import begin  # here: an emulator without TLS clients loads nothing of it

            begin(self._server, transport, self._first, Doorway(self._server, secured=True))
            return
        peer = Peer(self._server, crowded=crowded)
        transport.set_protocol(peer)
        peer.connection_made(transport)
        peer.feed(self._first)

    def _leave(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
        if self._transport is not None:
            self._server.waiting.discard(self._transport)
            self._server.know(self._transport)
