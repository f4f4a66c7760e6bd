"""A fault that is on at a listener of the relay."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from peeklock.stack.faults import Fault, Strikes


@dataclass(eq=False, slots=True)
class ActiveFault:
    """A fault, its strikes, and the timer that ends it."""

    fault: Fault
    strikes: Strikes
    timer: asyncio.TimerHandle | None = None

    def finish(self) -> None:
        """Let everything go on that waits for its end."""
        self.strikes.finish()
        if self.timer is not None:
            self.timer.cancel()
