"""`bandwidth: 10000` — a thin connection."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import ClassVar

from pydantic import Field

from peeklock.stack.faults.fault import NetworkFault
from peeklock.stack.faults.ports import Connection, Way
from peeklock.stack.faults.strikes import Strikes

_PIECES = 20
"""In how many pieces a second's worth goes out."""


class Bandwidth(NetworkFault):
    """At most `rate` bytes per second go over each connection, each way."""

    kind: ClassVar[str] = "bandwidth"
    short: ClassVar[str] = "rate"
    summary: ClassVar[str] = "at most so many bytes per second over each connection, each way"

    rate: int = Field(ge=1, description="bytes per second")

    async def carry(
        self, strikes: Strikes, connection: Connection, way: Way, data: bytes, at: float
    ) -> AsyncIterator[bytes]:
        """Let piece after piece go, each followed by the time that it takes; when the fault is over, the rest at once."""
        size = max(1, self.rate // _PIECES)
        for start in range(0, len(data), size):
            piece = data[start : start + size]
            yield piece
            if not await strikes.wait(len(piece) / self.rate):
                yield data[start + size :]
                return
