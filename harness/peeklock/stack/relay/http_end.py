"""One end of a connection that speaks HTTP: what comes from it, as events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import cast

import h11

_CHUNK = 64 * 1024
_LONGEST_HEAD = 1 << 20


class HttpEnd:
    """Reads one end of a connection with h11. `role` is ours towards it: a server's for the client, a client's for the target."""

    def __init__(self, reader: asyncio.StreamReader, role: type[h11.CLIENT | h11.SERVER]) -> None:
        self.http = h11.Connection(role, max_incomplete_event_size=_LONGEST_HEAD)
        self._reader = reader
        self._unread = bytearray()

    @property
    def raw(self) -> bytes:
        """What has come and is part of no event: of a head that is not complete, or that is no HTTP."""
        return bytes(self._unread)

    async def event(self) -> h11.Event | type[h11.PAUSED]:
        """Return the next event. Raises `h11.RemoteProtocolError` for what is no HTTP."""
        while True:
            event = self.http.next_event()
            if event is not h11.NEED_DATA:
                self._unread = bytearray(self.http.trailing_data[0])
                return cast("h11.Event | type[h11.PAUSED]", event)
            data = await self._reader.read(_CHUNK)
            self._unread += data
            self.http.receive_data(data)

    async def body(self) -> AsyncIterator[bytes]:
        """Yield the payload of a message whose head was read. Raises `ConnectionError` when its end is missing."""
        while isinstance(event := await self.event(), h11.Data):
            yield bytes(event.data)
        if not isinstance(event, h11.EndOfMessage):
            raise ConnectionResetError("the message has no end")
