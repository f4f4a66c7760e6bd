"""TLS on the emulator's one port: for a connection whose first bytes turn out to be a client's hello (S-1, S-81)."""

from __future__ import annotations

import asyncio
import contextlib
from asyncio.sslproto import SSLProtocol
from typing import TYPE_CHECKING

from .certificates import known_context, server_context

if TYPE_CHECKING:
    from .server import Server

SHUTDOWN = 2
"""Seconds that a client has for its side of the good-bye."""
_tasks: set[asyncio.Task[None]] = set()


def begin(server: Server, transport: asyncio.Transport, first: bytes, inside: asyncio.Protocol) -> None:
    """Go on with TLS after the bytes `first`; `inside` gets the connection, and what is in it, after the handshake."""
    transport.pause_reading()
    server.waiting.add(transport)
    server.meet(transport)
    task = server.loop.create_task(_begin(server, transport, first, inside))
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)


async def _begin(server: Server, transport: asyncio.Transport, first: bytes, inside: asyncio.Protocol) -> None:
    try:
        context = known_context()
        if context is None:
            context = await asyncio.to_thread(server_context)
    except (OSError, ImportError) as error:
        server.log("tls.unavailable", reason=str(error))
        server.waiting.discard(transport)
        server.know(transport)
        transport.abort()
        return
    if transport.is_closing():  # the client did not wait for the certificate, and nobody would tell TLS of it any more
        server.waiting.discard(transport)
        server.know(transport)
        return
    waiter: asyncio.Future[None] = server.loop.create_future()
    tls = SSLProtocol(
        server.loop,
        inside,
        context,
        waiter,
        server_side=True,
        ssl_handshake_timeout=max(1, round(server.limits.unauthenticated)),
        ssl_shutdown_timeout=SHUTDOWN,
    )
    # what `loop.start_tls` does, which has no place for bytes that were read already
    transport.set_protocol(tls)
    tls.connection_made(transport)
    rest = memoryview(first)
    while rest:
        buffer = tls.get_buffer(len(rest))
        taken = min(len(buffer), len(rest))
        buffer[:taken] = rest[:taken]
        tls.buffer_updated(taken)
        rest = rest[taken:]
    transport.resume_reading()
    with contextlib.suppress(OSError):  # no TLS after all, or a client that does not trust the certificate
        await waiter
    server.waiting.discard(transport)
    server.know(transport)  # who is inside is a stranger still
