"""How often a fault that is on has struck, and when it is over."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from weakref import WeakSet

from peeklock.stack.faults.ports import Connection


class Strikes:
    """The count and the end of one fault. `tell` hears of every strike of a fault that is `counted`."""

    def __init__(self, counted: bool, times: int | None, tell: Callable[[str], None]) -> None:
        self._counted, self._times, self._tell = counted, times, tell
        self.count = 0
        self._met = 0
        self._over = asyncio.Event()
        self._touched: WeakSet[Connection] = WeakSet()

    @property
    def spent(self) -> bool:
        """Whether it strikes no more."""
        return self._over.is_set() or (self._times is not None and self.count >= self._times)

    def touch(self, connection: Connection) -> None:
        """Count a connection that it has affected; for faults that are not counted by their strikes."""
        if not self._counted and connection not in self._touched:
            self._touched.add(connection)
            self.count += 1

    def is_due(self, nth: int) -> bool:
        """Count a moment in which the fault could strike; return whether it is the `nth`, or a later one."""
        self._met += 1
        return self._met >= nth

    def strike(self, what: str) -> bool:
        """Count a strike and tell of it; return False, with nothing done, when the fault is spent."""
        if self.spent:
            return False
        self.count += 1
        self._tell(what)
        return True

    async def wait(self, seconds: float | None) -> bool:
        """Wait (with None: without limit), and return True; return False as soon as the fault is over."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds if seconds is None else max(0.0, seconds)):
                await self._over.wait()
        return not self._over.is_set()

    def finish(self) -> None:
        """Let everything go on that waits for its end."""
        self._over.set()
