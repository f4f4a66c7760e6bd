"""The port of a stand-in: an event loop in a thread of this process, which ends with it."""

from __future__ import annotations

import asyncio
import threading

from peeklock.errors import PeeklockError
from peeklock.servicebus.http import HttpListener, HttpService

_HOST = "127.0.0.1"


class StandInServer:
    """Serves an `HttpService` on loopback."""

    def __init__(self, service: HttpService, port: int, title: str) -> None:
        """Listen when this returns, on any free port for 0. `title`: for people. Raises `PeeklockError` when the port is taken."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=title, daemon=True)
        self._thread.start()
        self._listener = HttpListener(service)
        try:
            self.port = asyncio.run_coroutine_threadsafe(self._listener.start(_HOST, port), self._loop).result()
        except OSError as error:
            self._end()
            raise PeeklockError(
                f"{title} cannot listen on port {port}",
                actual=str(error),
                fix="end whatever took the port, or run again: another port is chosen",
            ) from error

    def close(self) -> None:
        """Close the port and every connection. Idempotent."""
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
            self._end()

    async def _stop(self) -> None:
        await self._listener.stop()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
