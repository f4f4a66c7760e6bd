"""The ledger of one namespace as the engine reads it: a local copy that is brought up to date, and a wake-up when it grows."""

from __future__ import annotations

import threading
import time
from bisect import bisect_right
from collections.abc import Callable

from peeklock.errors import PeeklockError
from peeklock.servicebus.ledger import Entry
from peeklock.stack.servers.servicebus import Control, ServiceBusServer

_POLL = 20.0


class LedgerFeed:
    """Thread-safe. A background thread holds a long poll open as soon as someone waits."""

    def __init__(self, server: ServiceBusServer, namespace: str) -> None:
        self._server, self._namespace = server, namespace
        self._changed = threading.Condition()
        self._pulling = threading.Lock()
        self._entries: list[Entry] = []
        self._cursor = 0
        self.cursor = 0
        """Where the life of the namespace since its last reset begins."""
        self._wakes: dict[int, Callable[[], None]] = {}
        self._control = server.new_control()
        self._poller: Control | None = None
        self._closed = False
        self._error: PeeklockError | None = None
        self._suspended = False

    def begin(self, cursor: int) -> None:
        """Forget what was before `cursor`: a reset."""
        with self._changed:
            self._entries = [entry for entry in self._entries if entry.number > cursor]
            self._cursor = max(self._cursor, cursor)
            self.cursor = cursor

    def read(self, after: int, wait: float) -> tuple[list[Entry], int]:
        """Entries after the cursor `after`, up to date when called, and the new cursor; at most `wait` seconds for the first."""
        with self._pulling:
            if not self._suspended:
                self._pull()
        deadline = time.monotonic() + wait
        while True:
            with self._changed:
                found = self._after(after)
                left = deadline - time.monotonic()
                if found or left <= 0:
                    return found, max(after, self._cursor)
                if self._error is not None:
                    raise self._error
                self._watch()
                self._changed.wait(left)

    def _pull(self) -> None:
        try:
            self._take(*self._server.ledger(self._namespace, self._cursor, 0.0, self._control))
        except PeeklockError:
            if not self._suspended:
                raise

    def suspend(self) -> None:
        """The emulator is about to be away on purpose: until `resume`, what has happened by now is all there is."""
        with self._pulling:
            if not self._suspended:
                self._pull()
            self._suspended = True

    def resume(self) -> None:
        """The emulator is back, with its ledger."""
        with self._changed:
            self._suspended = False
            self._changed.notify_all()

    def _after(self, cursor: int) -> list[Entry]:
        return self._entries[bisect_right(self._entries, cursor, key=lambda entry: entry.number) :]

    def on_change(self, wake: Callable[[], None]) -> Callable[[], None]:
        key = id(wake)
        with self._changed:
            self._wakes[key] = wake
            self._watch()

        def end() -> None:
            with self._changed:
                self._wakes.pop(key, None)

        return end

    def _take(self, entries: list[Entry], cursor: int) -> None:
        with self._changed:
            new = [entry for entry in entries if entry.number > self._cursor]
            self._entries += new
            self._cursor = max(self._cursor, cursor)
            wakes = list(self._wakes.values()) if new else []
            if new:
                self._changed.notify_all()
        for wake in wakes:
            wake()

    def _watch(self) -> None:
        if self._poller is None and not self._closed:
            self._poller = self._server.new_control()
            threading.Thread(target=self._poll, args=(self._poller,), name="ledger-feed", daemon=True).start()

    def _poll(self, control: Control) -> None:
        while not self._closed:
            try:
                self._take(*self._server.ledger(self._namespace, self._cursor, _POLL, control))
            except PeeklockError as error:
                if self._away():
                    continue
                self._fail(error)
                return

    def _away(self) -> bool:
        """Wait while the emulator is away on purpose; False when it was not."""
        with self._changed:
            was = self._suspended
            self._changed.wait_for(lambda: self._closed or not self._suspended)
            return was

    def _fail(self, error: PeeklockError) -> None:
        """The poller has ended; unless that was wanted, whoever waits must hear of it."""
        with self._changed:
            wakes = [] if self._closed else list(self._wakes.values())
            self._error = error
            self._changed.notify_all()
        for wake in wakes:
            wake()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            poller = self._poller
        if poller is not None:
            poller.close()
        self._control.close()
