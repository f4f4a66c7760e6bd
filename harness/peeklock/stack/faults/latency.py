"""`latency: 2s` — answers come late."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from typing import ClassVar

from pydantic import Field

from peeklock.scenario.durations import Duration
from peeklock.stack.faults.fault import NetworkFault
from peeklock.stack.faults.ports import Connection, Way
from peeklock.stack.faults.strikes import Strikes


class Latency(NetworkFault):
    """What a target answers is `delay` seconds under way, give or take at most `jitter`. The throughput stays as it was."""

    kind: ClassVar[str] = "latency"
    short: ClassVar[str] = "delay"
    summary: ClassVar[str] = "answers come late"

    delay: Duration = Field(gt=0)
    jitter: Duration = Field(0.0, ge=0)

    async def carry(
        self, strikes: Strikes, connection: Connection, way: Way, data: bytes, at: float
    ) -> AsyncIterator[bytes]:
        """Hold answers back until their time has come, or the fault is over."""
        if way == "answers":
            due = at + self.delay + random.uniform(-self.jitter, self.jitter)
            await strikes.wait(due - asyncio.get_running_loop().time())
        yield data
