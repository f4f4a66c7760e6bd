"""TLS on the emulator's one port (S-1, S-81)."""

from __future__ import annotations

import asyncio
import socket
import traceback
from collections.abc import Callable

from .certificates import known_context, server_context
from .context import NamespaceContext

SHUTDOWN = 2.0
"""Seconds that a client has for its side of the good-bye."""


class _Handshake:
    """A connection in the middle of its handshake, for those who count connections."""

    def __init__(self, accepted: socket.socket) -> None:
        self._socket = accepted

    def abort(self) -> None:
        """Make the handshake fail."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            self._socket.close()


def why_failed(error: BaseException) -> str:
    """Tell why a handshake has failed, and what a client lacks that does not trust us."""
    alert = getattr(error, "reason", None) or ""
    if "UNKNOWN_CA" in alert or "CERTIFICATE" in alert:
        return f"a client does not trust the emulator's certificate ({alert}): `peeklock servicebus --ca` tells how it comes to"
    return str(error)


def _forget_frames(error: BaseException | None) -> None:
    """Break the circle of an exception, its frames and what stands in them: 0.3 MB of buffers, which the collector, slow as it
    is made for queued messages, would leave for long."""
    while error is not None:
        if error.__traceback__ is not None:
            traceback.clear_frames(error.__traceback__)
            error.__traceback__ = None
        before, error.__context__ = error.__context__, None
        error = before


async def handshake(
    context: NamespaceContext, accepted: socket.socket, factory: Callable[[], asyncio.BaseProtocol]
) -> None:
    """Do the server's side of a handshake; the protocol of `factory` gets what is inside."""
    here = _Handshake(accepted)
    context.connections.other.add(here)
    context.connections.unauthenticated(here, tls=True)
    try:
        tls = known_context()
        if tls is None:
            tls = await asyncio.to_thread(server_context)
        await context.loop.connect_accepted_socket(
            factory,
            accepted,
            ssl=tls,
            ssl_handshake_timeout=max(1.0, context.limits.unauthenticated),
            ssl_shutdown_timeout=SHUTDOWN,
        )
    except (OSError, ImportError) as error:  # no certificate, no TLS after all, or a client that distrusts us
        context.log("tls.failed", reason=why_failed(error))
        accepted.close()
        _forget_frames(error)
    finally:
        context.connections.other.discard(here)
        context.connections.authenticated(here)
