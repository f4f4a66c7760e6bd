"""`down: true` — nobody there."""

from __future__ import annotations

from typing import ClassVar

from peeklock.stack.faults.fault import NetworkFault
from peeklock.stack.faults.ports import Listener
from peeklock.stack.faults.strikes import Strikes


class Down(NetworkFault):
    """Connections break, and new ones are refused, until the fault is over."""

    kind: ClassVar[str] = "down"
    summary: ClassVar[str] = "connections break, and new ones are refused"

    async def begin(self, strikes: Strikes, listener: Listener) -> None:
        """Shut the listener."""
        listener.shut()
        for connection in list(listener.connections):
            strikes.touch(connection)
            connection.reset()

    async def end(self, strikes: Strikes, listener: Listener) -> None:
        """Open it, unless another such fault is on."""
        if not listener.suffers(Down):
            await listener.open()
