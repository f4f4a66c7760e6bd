"""`reset_peer: true` — connections break."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from peeklock.scenario.durations import Duration
from peeklock.stack.faults.fault import NetworkFault

if TYPE_CHECKING:
    from peeklock.stack.relay.active import Active
    from peeklock.stack.relay.line import Line


class ResetPeer(NetworkFault):
    """Every connection, and every new one, breaks (TCP RST) `after` seconds; with `times`, that many connections."""

    kind: ClassVar[str] = "reset_peer"
    short: ClassVar[str] = "after"
    counted: ClassVar[bool] = True
    summary: ClassVar[str] = "connections break (TCP RST), those that are open now and new ones"

    after: Duration = Field(0.0, ge=0)

    async def meet(self, active: Active, line: Line) -> None:
        """Break it when its time has come, unless the fault is over by then."""
        if await active.wait(self.after) and active.strike("a connection was reset"):
            line.reset()
