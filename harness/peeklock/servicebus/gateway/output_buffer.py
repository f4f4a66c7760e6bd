"""How much a connection has to say that its client has not read."""

from __future__ import annotations

import asyncio

UNREAD_LIMIT = 64 << 20
UNAUTHENTICATED_UNREAD_LIMIT = 128 << 10
HIGH_WATER = 1 << 20
UNSENT_LIMIT = 1 << 20
WAITING_LIMIT = 16 << 20
_OVERHEAD = 512


class OutputBuffer:
    """Counts what waits to be written, and tells receivers when to pause."""

    def __init__(self) -> None:
        self.is_open = False
        """True while something can be written to the client."""
        self.paused = False
        """True while the client reads too slowly."""
        self.stalled = False
        """True when a receiver has been told to wait."""
        self.unsent = 0
        """Bytes of this turn."""
        self._replies = 0
        self._outgoing = 0
        self._limit = UNAUTHENTICATED_UNREAD_LIMIT
        self._waiting = 0
        self._most_waiting = UNAUTHENTICATED_UNREAD_LIMIT

    def trust(self, transport: asyncio.Transport | None) -> None:
        """The client has shown a token: it may leave more unread."""
        self._limit = UNREAD_LIMIT
        self._most_waiting = WAITING_LIMIT
        if transport is not None:
            transport.set_write_buffer_limits(high=HIGH_WATER)

    def has_room(self) -> bool:
        """True when one more message or answer may be written; else `stalled` is set, and the links are asked again later."""
        if self.paused or self.unsent > UNSENT_LIMIT:
            self.stalled = True
            return False
        return True

    def add_waiting(self, size: int) -> bool:
        """Count a request that waits until its answer can be read; return False when there are too many."""
        self._waiting += size + _OVERHEAD
        return self._waiting <= self._most_waiting

    def remove_waiting(self, size: int) -> None:
        """A request waits no longer."""
        self._waiting -= size + _OVERHEAD

    def add_reply(self, size: int) -> None:
        """Count a reply: of them a client may ask for more than it reads."""
        self.unsent += size
        self._replies += size

    def write(self, transport: asyncio.Transport, raw: bytes) -> bool:
        """Write; return False when more is unread than the client may leave."""
        if not self.paused:
            self._outgoing = 0
        # one message alone may be longer than what may stay unread; the next one waits for it
        self._outgoing += self.unsent - self._replies
        self.unsent = self._replies = 0
        if not raw:
            return True
        transport.write(raw)
        return not self.paused or transport.get_write_buffer_size() - self._outgoing <= self._limit
