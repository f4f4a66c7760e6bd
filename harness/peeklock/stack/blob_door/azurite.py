"""Connections to the Azurite behind a door, kept for the next request for as long as that is safe."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from peeklock.stack.blob_door.http1 import READ_AHEAD

HOST = "127.0.0.1"
"""Where Azurite and the door are."""
_IDLE = 1.0
"""Seconds after which a connection is used no more: Azurite closes idle ones after five, and whoever sends in that moment gets no
answer."""


class Connection(NamedTuple):
    """One connection; `port` is where it leads."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    port: int


class AzuriteConnections:
    """Use it inside one event loop."""

    def __init__(self, port: Callable[[], int]) -> None:
        self._port = port
        self._idle: list[tuple[float, Connection]] = []

    async def take(self) -> Connection:
        """Return a connection that nobody else uses. Raises `OSError`."""
        port = self._port()
        oldest = asyncio.get_running_loop().time() - _IDLE
        while self._idle:
            since, kept = self._idle.pop()
            if since >= oldest and kept.port == port and not kept.reader.at_eof() and not kept.writer.is_closing():
                return kept
            kept.writer.close()
        reader, writer = await asyncio.open_connection(HOST, port, limit=READ_AHEAD)
        return Connection(reader, writer, port)

    def give_back(self, connection: Connection, *, keeps: bool) -> None:
        """Keep a connection whose request was answered in full; close any other."""
        if keeps:
            self._idle.append((asyncio.get_running_loop().time(), connection))
        else:
            connection.writer.close()

    def close(self) -> None:
        """Close those that nobody uses."""
        for _, kept in self._idle:
            kept.writer.close()
        self._idle.clear()
