"""The connections of one namespace, and how many there may be."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Protocol

from .handshakes import Handshakes
from .limits import Limits
from .ports import LinkHandler, Log, OpenConnection

GRACE = 64
"""How many connections beyond the limit there may be at a time, to be told why they are refused."""


class Abortable(Protocol):
    """Whatever a connection is before its protocol is known."""

    def abort(self) -> None:
        """Close it without a word."""


def in_tls(transport: asyncio.Transport) -> bool:
    """Tell whether a connection is inside TLS."""
    return transport.get_extra_info("ssl_object") is not None


class Connections:
    """Every connection is in `amqp` or in `other`; those that have not shown a token yet are counted, too."""

    def __init__(self, namespace: str, limits: Limits, log: Log) -> None:
        self.amqp: set[OpenConnection] = set()
        self.other: set[Abortable] = set()
        """Those that speak no AMQP (yet)."""
        self.opened = 0
        """How many AMQP connections there ever were."""
        self.handshakes = Handshakes()
        self._unauthenticated: dict[Abortable, None] = {}
        self._in_tls: dict[Abortable, None] = {}
        """Those of them that are inside TLS, or on the way into it."""
        self._namespace = namespace
        self._limits = limits
        self._log = log

    def add(self, connection: OpenConnection) -> int:
        """Add an AMQP connection; return its number."""
        self.amqp.add(connection)
        self.opened += 1
        return self.opened

    def unauthenticated(self, transport: Abortable, *, tls: bool = False) -> None:
        """Note a connection that has shown no token yet. When there are too many of these, the oldest is closed: clients with
        a token show it at once, and those without one cannot keep them out."""
        self._unauthenticated[transport] = None
        if tls:
            self._in_tls[transport] = None
            if len(self._in_tls) > self._limits.unauthenticated_tls:
                self._close_oldest(self._in_tls)
        self.handshakes.arrived(transport)
        if len(self._unauthenticated) > self._limits.unauthenticated_connections:
            self._close_oldest(self._unauthenticated)

    def _close_oldest(self, among: dict[Abortable, None]) -> None:
        oldest = next(iter(among))
        self.authenticated(oldest)
        self._log("connection.aborted", reason="too many connections without a token")
        oldest.abort()

    def authenticated(self, transport: Abortable) -> None:
        """A connection has shown a token, or is no more."""
        self._unauthenticated.pop(transport, None)
        self._in_tls.pop(transport, None)
        self.handshakes.known(transport)

    @property
    def unauthenticated_count(self) -> int:
        """How many connections have shown no token yet."""
        return len(self._unauthenticated)

    @property
    def crowded(self) -> bool:
        """True when there are more connections than the namespace takes."""
        return len(self.amqp) + len(self.other) > self._limits.connections

    @property
    def overrun(self) -> bool:
        """True when there are so many that a new one is not even told why it is refused."""
        return len(self.amqp) + len(self.other) >= self._limits.connections + GRACE

    def crowd_text(self) -> str:
        """Say why a connection is refused."""
        return (
            f"ConnectionsQuotaExceeded for namespace: {self._namespace}. It has {self._limits.connections} connections, "
            "as many as it takes: close some."
        )

    def handlers(self) -> Iterator[tuple[OpenConnection, LinkHandler]]:
        """Yield every link that is there now; links may be taken down meanwhile."""
        for connection in list(self.amqp):
            for handler in list(connection.handlers.values()):
                yield connection, handler

    def abort(self) -> None:
        """Break all connections without a word."""
        for connection in list(self.amqp):
            connection.abort()
        for transport in list(self.other):
            transport.abort()
