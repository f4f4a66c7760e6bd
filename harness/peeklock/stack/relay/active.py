"""A fault that is on."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING
from weakref import WeakSet

from peeklock.stack.faults.fault import Fault

if TYPE_CHECKING:
    from peeklock.stack.relay.line import Line


class Active:
    """A fault with its count and its end. `tell` hears of every strike of a fault that is counted."""

    def __init__(self, fault: Fault, times: int | None, tell: Callable[[str], None]) -> None:
        self.fault, self._times, self._tell = fault, times, tell
        self.struck = 0
        self._over = asyncio.Event()
        self._touched: WeakSet[Line] = WeakSet()
        self.timer: asyncio.TimerHandle | None = None

    @property
    def spent(self) -> bool:
        """Whether it strikes no more."""
        return self._over.is_set() or (self._times is not None and self.struck >= self._times)

    def touch(self, line: Line) -> None:
        """Count a connection of which it has had something; for faults that are not counted by their strikes."""
        if not self.fault.counted and line not in self._touched:
            self._touched.add(line)
            self.struck += 1

    def strike(self, what: str) -> bool:
        """Count a strike and tell of it; return False, with nothing done, when the fault is spent."""
        if self.spent:
            return False
        self.struck += 1
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
        if self.timer is not None:
            self.timer.cancel()
