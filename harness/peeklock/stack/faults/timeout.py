"""`timeout: 5s` — connections stay open and say nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import ClassVar

from pydantic import Field

from peeklock.scenario.durations import Duration
from peeklock.stack.faults.fault import NetworkFault
from peeklock.stack.faults.ports import Connection, Way
from peeklock.stack.faults.strikes import Strikes


class Timeout(NetworkFault):
    """Nothing goes over any connection. One that has waited for `after` seconds is closed; when the fault is over before,
    what was held back goes on."""

    kind: ClassVar[str] = "timeout"
    short: ClassVar[str] = "after"
    summary: ClassVar[str] = "connections stay open and say nothing; one that has waited for so long is closed"

    after: Duration | None = Field(None, gt=0, description="absent: never closed")

    async def carry(
        self, strikes: Strikes, connection: Connection, way: Way, data: bytes, at: float
    ) -> AsyncIterator[bytes]:
        """Hold everything."""
        if await strikes.wait(self.after):
            connection.close()
        else:
            yield data
