"""`limit_data: 20000` — connections end in the middle of a message."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import ClassVar, Literal

from pydantic import Field

from peeklock.stack.faults.fault import NetworkFault
from peeklock.stack.faults.ports import Connection, Way
from peeklock.stack.faults.strikes import Strikes


class LimitData(NetworkFault):
    """A connection over which `after` bytes have gone since the fault began (or it was opened) breaks at exactly that byte."""

    kind: ClassVar[str] = "limit_data"
    short: ClassVar[str] = "after"
    counted: ClassVar[bool] = True
    summary: ClassVar[str] = "a connection breaks when so many bytes have gone over it"

    after: int = Field(ge=0, description="bytes")
    of: Literal["answers", "requests", "both"] = "both"

    async def carry(
        self, strikes: Strikes, connection: Connection, way: Way, data: bytes, at: float
    ) -> AsyncIterator[bytes]:
        """Count, and break at the limit."""
        if self.of not in (way, "both"):
            yield data
            return
        gone = connection.counted.get(strikes, 0)
        connection.counted[strikes] = gone + len(data)
        if gone + len(data) < self.after or strikes.spent:
            yield data
            return
        yield data[: max(0, self.after - gone)]
        if strikes.strike(f"a connection was cut after {self.after} bytes"):
            connection.close()
