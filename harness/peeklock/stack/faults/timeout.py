"""`timeout: 5s` — connections stay open and say nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from peeklock.scenario.durations import Duration
from peeklock.stack.faults.fault import NetworkFault

if TYPE_CHECKING:
    from peeklock.stack.relay.active import Active
    from peeklock.stack.relay.line import Line, Way


class Timeout(NetworkFault):
    """Nothing goes over any connection. One that has waited for `after` seconds is closed; when the fault is over before,
    what was held back goes on."""

    kind: ClassVar[str] = "timeout"
    short: ClassVar[str] = "after"
    summary: ClassVar[str] = "connections stay open and say nothing; one that has waited for so long is closed"

    after: Duration | None = Field(None, gt=0, description="absent: never closed")

    async def carry(self, active: Active, line: Line, way: Way, data: bytes, at: float) -> AsyncIterator[bytes]:  # noqa: ARG002
        """Hold everything."""
        if await active.wait(self.after):
            line.close()
        else:
            yield data
