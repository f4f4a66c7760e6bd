"""The port of a namespace: accepts connections, and looks at their first byte before it reads any of them.

A TLS client's hello stays in the kernel until asyncio's own TLS reads it, so that nothing has to be given back to it.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections import deque
from collections.abc import Callable

from peeklock.servicebus.loopback import bind

from .context import NamespaceContext

_TLS_HANDSHAKE = 0x16
_AT_ONCE = 16
"""How many connections are accepted before those that are there have their turn."""
_HANDSHAKES_AT_ONCE = 2
"""How many TLS handshakes are begun before those that are there have their turn: each takes a millisecond."""
_ACCEPT_AGAIN = 1.0
"""Seconds without accepting when the process has no more descriptors."""
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

Factory = Callable[[], asyncio.BaseProtocol]
"""Makes the protocol of a connection."""


class Listener:
    """Listens on one port; on loopback under both of its addresses, since `localhost` may be either."""

    def __init__(self, context: NamespaceContext, factory: Factory) -> None:
        self.port = 0
        self._context = context
        self._factory = factory
        self._sockets: list[socket.socket] = []
        self._handshakes = _Pace(context.loop, _HANDSHAKES_AT_ONCE)

    def start(self, host: str, port: int) -> None:
        """Listen. Raises `OSError` when the port is taken."""
        self._sockets = bind(host, port)
        self.port = self._sockets[0].getsockname()[1]
        for listening in self._sockets:
            listening.setblocking(False)
            self._context.loop.add_reader(listening, self._accept, listening)

    def stop(self) -> None:
        """Close the port; connections stay."""
        for listening in self._sockets:
            self._context.loop.remove_reader(listening)
            listening.close()
        self._sockets = []

    def hold(self) -> None:
        """Accept nobody for now: whoever connects waits."""
        for listening in self._sockets:
            self._context.loop.remove_reader(listening)

    def release(self) -> None:
        """Accept again."""
        for listening in self._sockets:
            self._context.loop.add_reader(listening, self._accept, listening)

    @property
    def listening(self) -> bool:
        """True while somebody can connect."""
        return bool(self._sockets)

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(_AT_ONCE):
            try:
                accepted, _ = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _EXHAUSTED:
                    raise
                self._context.log("connection.refused", level="warning", reason=str(error))
                self._context.loop.remove_reader(listening)
                self._context.loop.call_later(_ACCEPT_AGAIN, self._accept_again, listening)
                return
            accepted.setblocking(False)
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # asyncio does so for its own sockets only
            if self._context.connections.overrun:
                self._context.log("connection.aborted", reason="far too many connections")
                accepted.close()
                continue
            _Arrival(self._context, accepted, self._factory, self._handshakes)

    def _accept_again(self, listening: socket.socket) -> None:
        if listening in self._sockets:
            self._context.loop.add_reader(listening, self._accept, listening)


class _Pace:
    """Does so many things in each turn of the event loop, and the rest later."""

    def __init__(self, loop: asyncio.AbstractEventLoop, most: int) -> None:
        self._loop = loop
        self._most = most
        self._waiting: deque[Callable[[], None]] = deque()

    def add(self, act: Callable[[], None]) -> None:
        """Do something, soon."""
        self._waiting.append(act)
        if len(self._waiting) == 1:
            self._loop.call_soon(self._run)

    def _run(self) -> None:
        for _ in range(min(self._most, len(self._waiting))):
            self._waiting.popleft()()
        if self._waiting:
            self._loop.call_soon(self._run)


class _Arrival:
    """A connection that has not said anything yet; it has as long as any that does not authenticate (S-5)."""

    def __init__(self, context: NamespaceContext, accepted: socket.socket, factory: Factory, handshakes: _Pace) -> None:
        self._context = context
        self._handshakes = handshakes
        self._gone = False
        self._socket = accepted
        self._factory = factory
        self._patience = context.loop.call_later(context.limits.unauthenticated, self.abort)
        context.connections.other.add(self)
        context.connections.unauthenticated(self)
        context.loop.add_reader(accepted, self._look)

    def _look(self) -> None:
        try:
            first = self._socket.recv(1, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            first = b""
        if not first:
            self.abort()
            return
        self._context.loop.remove_reader(self._socket)
        if first[0] == _TLS_HANDSHAKE:
            self._handshakes.add(lambda: self._enter(secure=True))
        else:
            self._enter(secure=False)

    def _enter(self, *, secure: bool) -> None:
        if not self._gone:
            self._leave()
            self._context.spawn(self._go_on(secure), "a new connection")

    def abort(self) -> None:
        """Close without a word."""
        self._leave()
        self._socket.close()

    def _leave(self) -> None:
        self._gone = True
        self._patience.cancel()
        self._context.loop.remove_reader(self._socket)
        self._context.connections.other.discard(self)
        self._context.connections.authenticated(self)

    async def _go_on(self, secure: bool) -> None:
        if not secure:
            await self._context.loop.connect_accepted_socket(self._factory, self._socket)
            return
        from .tls import handshake  # here: an emulator without TLS clients loads nothing of it

        await handshake(self._context, self._socket, self._factory)
