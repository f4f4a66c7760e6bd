"""Which clients are on their way in: connected and not yet let in, or with a token and not yet with the link that it is for.

Clients time their handshakes by the wall clock. One that sees it jump in the middle takes a token that it has just made for
expired, and an answer of a millisecond for one that never came (azure-servicebus: "Authentication attempt timed-out").
"""

from __future__ import annotations

import asyncio
from typing import Protocol

_SETTLES = 0.25
"""Seconds in which a client learns that it has been let in."""
_LONGEST = 5.0
"""Seconds after which a token is for nothing any more."""


class Client(Protocol):
    """A connection, told from others by what it is."""


class Handshakes:
    """By connection: the entities for which a token was shown and no link attached since, and when the last was let in."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[tuple[Client, str], float] = {}
        self._let_in: dict[Client, float] = {}
        self._strangers: set[object] = set()
        self._changed = asyncio.Event()

    def arrived(self, transport: object) -> None:
        """Somebody has connected, and has shown no token yet."""
        self._strangers.add(transport)

    def known(self, transport: object) -> None:
        """They have, or are gone."""
        self._strangers.discard(transport)
        self._changed.set()

    def token_shown(self, client: Client, entity: str) -> None:
        """A token was taken; a link to the entity is to follow."""
        self._waiting[client, entity.lower()] = self._loop.time()

    def renewed(self, client: Client) -> None:
        """A client goes on with a new token: nothing is to follow."""
        self._let_in[client] = self._loop.time()

    def attached(self, client: Client, entity: str) -> None:
        """A client was let in, or refused."""
        self._waiting.pop((client, entity.lower()), None)
        self._let_in[client] = self._loop.time()
        self._changed.set()

    def gone(self, client: Client) -> None:
        """A connection has ended."""
        self._let_in.pop(client, None)
        for key in [key for key in self._waiting if key[0] is client]:
            del self._waiting[key]
        self._changed.set()

    async def finish(self, seconds: float) -> bool:
        """Wait until nobody is on the way in, for at most so many seconds; return whether that came."""
        end = self._loop.time() + seconds
        while (left := self._left()) > 0.0:
            patience = min(left, end - self._loop.time())
            if patience <= 0.0:
                return False
            self._changed.clear()
            try:
                async with asyncio.timeout(patience):
                    await self._changed.wait()
            except TimeoutError:
                pass
        return True

    def _left(self) -> float:
        """Seconds until the last of them has certainly come to an end."""
        now = self._loop.time()
        if self._strangers:
            return _LONGEST
        left = [shown + _LONGEST - now for shown in self._waiting.values()]
        left += [let_in + _SETTLES - now for let_in in self._let_in.values()]
        return max(0.0, *left) if left else 0.0
