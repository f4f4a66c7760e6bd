"""The end of a turn: what has happened is made durable once, then each connection writes once.

Nobody is told of anything before it is kept. Without a store, a turn is whatever one piece of input, one timer or one
request brings about. With a store, the input of all connections that had some at the same time is one turn: they share
one commit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from peeklock.servicebus.store import StoreError

from .ports import OpenConnection

if TYPE_CHECKING:
    from peeklock.servicebus.store.file import Store


class TurnScheduler:
    """Commits and flushes. `on_failure` is called once, when nothing can be kept any more."""

    def __init__(
        self,
        store: Store | None,
        on_failure: Callable[[StoreError], None],
        call_soon: Callable[[Callable[[], None]], object],
    ) -> None:
        self.failure: StoreError | None = None
        """Why nothing is kept any more."""
        self.at_end: list[Callable[[], None]] = []
        """Called at the end of each turn."""
        self._store = store
        self._on_failure = on_failure
        self._call_soon = call_soon
        self._dirty: list[OpenConnection] = []
        self._ends = False
        """True while the end of the turn is on its way."""

    def touch(self, connection: OpenConnection) -> None:
        """Note that a connection has something to write at the end of the turn."""
        if not connection.dirty:
            connection.dirty = True
            self._dirty.append(connection)

    def commit(self) -> None:
        """Have everything kept that has happened by now."""
        if self._store is None or self.failure is not None:
            return
        try:
            self._store.commit()
        except StoreError as error:
            self.failure = error
            self._on_failure(error)

    def input_handled(self, connection: OpenConnection) -> None:
        """End the turn of a connection's input: at once, or with a store when the input that has come to others by now is
        handled, too. The connection writes first, and whatever it has."""
        if self._store is None:
            connection.flush()
            self.end()
            return
        self.touch(connection)
        if not self._ends:
            self._ends = True
            self._call_soon(self.end)

    def end(self) -> None:
        """End a turn now: when it returns, what has happened is kept."""
        self._ends = False
        self.commit()
        while self._dirty:
            dirty, self._dirty = self._dirty, []
            for other in dirty:
                if other.dirty:
                    other.flush()
        for callback in self.at_end:
            callback()
