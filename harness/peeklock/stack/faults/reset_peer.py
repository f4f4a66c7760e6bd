"""`reset_peer: true` — connections break."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from peeklock.scenario.durations import Duration
from peeklock.stack.faults.fault import NetworkFault
from peeklock.stack.faults.ports import Connection
from peeklock.stack.faults.strikes import Strikes


class ResetPeer(NetworkFault):
    """Every connection, and every new one, breaks (TCP RST) `after` seconds; with `times`, that many connections."""

    kind: ClassVar[str] = "reset_peer"
    short: ClassVar[str] = "after"
    counted: ClassVar[bool] = True
    summary: ClassVar[str] = "connections break (TCP RST), those that are open now and new ones"

    after: Duration = Field(0.0, ge=0)

    async def meet(self, strikes: Strikes, connection: Connection) -> None:
        """Break it when its time has come, unless the fault is over by then."""
        if await strikes.wait(self.after) and strikes.strike("a connection was reset"):
            connection.reset()
