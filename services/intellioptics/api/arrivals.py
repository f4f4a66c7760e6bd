"""Wakes the request that waits for a result, whichever replica the result came to."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from services.intellioptics.api.query_store import DONE_CHANNEL, QueryStore
from services.shared.logs import get_logger

log = get_logger()


class Arrivals:
    """Who waits for which query. Never a poll: :meth:`announce` wakes, at once, everyone who expects the id."""

    def __init__(self) -> None:
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)

    @contextmanager
    def expected(self, query_id: str) -> Iterator[asyncio.Event]:
        """Yield an event that is set when the result of ``query_id`` arrives.

        Enter it before looking whether the result is there, or one that comes in between is missed.
        """
        event = asyncio.Event()
        self._waiting[query_id].add(event)
        try:
            yield event
        finally:
            self._waiting[query_id].discard(event)
            if not self._waiting[query_id]:
                del self._waiting[query_id]

    def announce(self, query_id: str) -> None:
        """Wake everyone who expects ``query_id``."""
        for event in self._waiting.get(query_id, ()):
            event.set()

    def announce_all(self) -> None:
        """Wake everyone: the process stops, and each will answer with what is known by then."""
        for query_id in list(self._waiting):
            self.announce(query_id)

    async def listen(self, database_url: str, store: QueryStore) -> None:
        """Announce what other replicas store, until cancelled; a lost connection is made again."""
        pause = 0.1
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(
                    database_url, autocommit=True, connect_timeout=3
                ) as connection:
                    await connection.execute(f"LISTEN {DONE_CHANNEL}")
                    pause = 0.1
                    # What was stored while nobody listened.
                    if self._waiting:
                        for query_id in await store.finished(list(self._waiting)):
                            self.announce(query_id)
                    async for note in connection.notifies():
                        self.announce(note.payload)
            except (psycopg.Error, OSError, TimeoutError) as error:
                log.debug("api.listener_lost", error=type(error).__name__, retry_in=pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, 2.0)
