"""AMQP inside a WebSocket: what clients do where only port 443 is open (S-1)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from wsproto import ConnectionType, WSConnection
from wsproto.connection import ConnectionState
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Ping,
    RejectConnection,
    Request,
    TextMessage,
)
from wsproto.frame_protocol import CloseReason
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from .connection import AmqpConnection
from .context import NamespaceContext

SUBPROTOCOLS = ("AMQPWSB10", "amqp")
MAX_FRAME = 64 << 10
"""Clients limit the size of a WebSocket message; AMQP does not care where it is cut."""


class Tunnel(asyncio.Transport):
    """What an AMQP connection takes for its transport."""

    def __init__(self, ws: WSConnection, outside: asyncio.Transport) -> None:
        super().__init__()
        self._ws = ws
        self._outside = outside

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send bytes in frames; nothing when the WebSocket is closed."""
        view = memoryview(data)
        while view and self._ws.state is ConnectionState.OPEN:
            self._outside.write(self._ws.send(BytesMessage(data=bytes(view[:MAX_FRAME]))))
            view = view[MAX_FRAME:]

    def close(self) -> None:
        """Say good-bye and close."""
        if self._ws.state is ConnectionState.OPEN:
            self._outside.write(self._ws.send(CloseConnection(CloseReason.NORMAL_CLOSURE)))
        self._outside.close()

    def abort(self) -> None:
        """Close at once."""
        self._outside.abort()

    def can_write_eof(self) -> bool:
        """False: a WebSocket closes both ways at once."""
        return False

    def is_closing(self) -> bool:
        """True when it closes or has closed."""
        return self._outside.is_closing()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set when the peer is told to pause."""
        self._outside.set_write_buffer_limits(high, low)

    def get_write_buffer_size(self) -> int:
        """Return how many bytes wait for the client."""
        return self._outside.get_write_buffer_size()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return a fact about the connection below."""
        return self._outside.get_extra_info(name, default)


class WebSocket(asyncio.Protocol):
    """Unwraps what the client sends for an AMQP connection, after the handshake."""

    def __init__(self, context: NamespaceContext, headers: Sequence[tuple[bytes, bytes]], target: bytes) -> None:
        self._context = context
        self._ws = WSConnection(ConnectionType.SERVER)
        self._headers = headers
        self._target = target
        self._amqp: AmqpConnection | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Answer the handshake: refuse a client that speaks neither of the subprotocols, or no WebSocket."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        try:
            self._ws.initiate_upgrade_connection(list(self._headers), self._target)
            (request,) = self._ws.events()
            assert isinstance(request, Request)
            wanted = [name for name in SUBPROTOCOLS if name in request.subprotocols]
            if not wanted:
                transport.write(self._ws.send(RejectConnection(status_code=400)))
                transport.close()
                return
            transport.write(self._ws.send(AcceptConnection(subprotocol=wanted[0])))
        except (RemoteProtocolError, LocalProtocolError, ValueError):
            transport.write(b"HTTP/1.1 400 Bad Request\r\nsec-websocket-version: 13\r\ncontent-length: 0\r\n\r\n")
            transport.close()
            return
        self._amqp = AmqpConnection(self._context, crowded=self._context.connections.crowded)
        self._amqp.opened(Tunnel(self._ws, transport))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """The client has gone."""
        self._transport = None
        if self._amqp is not None:
            self._amqp.lost()

    def data_received(self, data: bytes) -> None:
        """Unwrap; answer pings; close on what is no WebSocket."""
        transport, amqp = self._transport, self._amqp
        if transport is None or amqp is None or self._ws.state is ConnectionState.CLOSED:
            return
        try:
            self._ws.receive_data(data)
            for event in self._ws.events():
                if isinstance(event, BytesMessage):
                    amqp.feed(bytes(event.data))
                elif isinstance(event, Ping):
                    transport.write(self._ws.send(event.response()))
                elif isinstance(event, CloseConnection):
                    if self._ws.state is ConnectionState.REMOTE_CLOSING:
                        transport.write(self._ws.send(event.response()))
                    transport.close()
                elif isinstance(event, TextMessage):
                    self._refuse(transport, CloseReason.UNSUPPORTED_DATA)
                    return
        except RemoteProtocolError:
            self._refuse(transport, CloseReason.PROTOCOL_ERROR)
        except LocalProtocolError:
            transport.close()  # it closed while it was being answered

    def pause_writing(self) -> None:
        """The client reads too slowly."""
        if self._amqp is not None:
            self._amqp.pause()

    def resume_writing(self) -> None:
        """The client has caught up."""
        if self._amqp is not None:
            self._amqp.resume()

    def _refuse(self, transport: asyncio.Transport, reason: CloseReason) -> None:
        if self._ws.state is ConnectionState.OPEN:
            transport.write(self._ws.send(CloseConnection(reason)))
        transport.close()
