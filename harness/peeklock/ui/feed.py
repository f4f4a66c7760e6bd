"""What happens in a namespace, given to every browser that looks: one follower of the ledger, bounded buffers."""

from __future__ import annotations

import asyncio
import http.client
import json
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

from peeklock.errors import PeeklockError
from peeklock.ui.namespace import Gone, Namespace

Find = Callable[[], Namespace]
"""Returns the namespace to follow, which may be another one the next time. Raises `PeeklockError`."""

MOST_WAITING = 2_000
"""Entries that wait for a browser; one that is slower than that is told to look anew."""
_AGAIN = 1.0


class Feed:
    """Follows the ledger while somebody looks, and not otherwise. Use it in one event loop."""

    def __init__(self, find: Find) -> None:
        self._find = find
        self._browsers: set[_Browser] = set()
        self._follower: _Follower | None = None

    async def stream(self, gone: asyncio.Future[Any]) -> AsyncIterator[bytes]:
        """Yield server-sent events until the browser has gone: `entries`, `state`, and `resync` when some were left out."""
        browser = _Browser()
        self._browsers.add(browser)
        if self._follower is None:
            self._follow()
        try:
            yield b"retry: 1000\n\n"
            while not gone.done():
                news = asyncio.ensure_future(browser.news.wait())
                await asyncio.wait({news, gone}, return_when=asyncio.FIRST_COMPLETED)
                news.cancel()
                if (piece := browser.taken()) and not gone.done():
                    yield piece
        finally:
            self._browsers.discard(browser)
            if not self._browsers:
                self.close()

    def close(self) -> None:
        """Follow no longer. Idempotent."""
        if self._follower is not None:
            self._follower.close()
            self._follower = None

    def follow_anew(self) -> None:
        """Follow what is to be followed now; browsers forget what they have seen."""
        if self._follower is not None:
            self.close()
            for browser in self._browsers:
                browser.put("resync", {})
            self._follow()

    def _follow(self) -> None:
        self._follower = _Follower(self._find, asyncio.get_running_loop(), self._publish)

    def _publish(self, follower: _Follower, event: str, data: Any) -> None:
        if follower is self._follower:
            for browser in self._browsers:
                browser.put(event, data)


class _Browser:
    """What waits for one of them."""

    def __init__(self) -> None:
        self.news = asyncio.Event()
        self._entries: deque[Any] = deque()
        self._lost = False
        self._state: Any = None

    def put(self, event: str, data: Any) -> None:
        if event == "state":
            self._state = data
        elif event == "resync" or len(self._entries) + len(data) > MOST_WAITING:
            self._entries.clear()
            self._lost = True
        else:
            self._entries.extend(data)
        self.news.set()

    def taken(self) -> bytes:
        """Return all that waits, as server-sent events."""
        self.news.clear()
        told = b""
        if self._state is not None:
            told += _event("state", self._state)
        if self._lost:
            told += _event("resync", {})
        if self._entries:
            told += _event("entries", list(self._entries))
        self._entries.clear()
        self._state, self._lost = None, False
        return told


class _Follower:
    """A thread with a connection to the emulator, for as long as it takes."""

    def __init__(self, find: Find, loop: asyncio.AbstractEventLoop, publish: Any) -> None:
        self._find, self._loop, self._publish = find, loop, publish
        self._closed = threading.Event()
        self._opened: list[http.client.HTTPConnection] = []
        threading.Thread(target=self._run, name="ui-feed", daemon=True).start()

    def close(self) -> None:
        self._closed.set()
        for connection in self._opened:
            with suppress(OSError, AttributeError):
                connection.sock.shutdown(2)

    def _run(self) -> None:
        while not self._closed.is_set():
            try:
                namespace = self._find()
                cursor = namespace.entities()["cursor"]
                self._tell("state", {"up": True})
                for entries in namespace.follow(cursor, self._opened):
                    if self._closed.is_set():
                        return
                    self._tell("entries", entries)
                problem: PeeklockError = Gone(f"the emulator at {namespace.address} has gone")
            except PeeklockError as error:
                problem = error
            self._opened.clear()
            self._tell("state", {"up": False, "problem": problem.problem})
            self._closed.wait(_AGAIN)

    def _tell(self, event: str, data: Any) -> None:
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._publish, self, event, data)


def _event(name: str, data: Any) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode()
