"""`latency: 2s` — answers come late."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from peeklock.scenario.durations import Duration
from peeklock.stack.faults.fault import NetworkFault

if TYPE_CHECKING:
    from peeklock.stack.relay.active import Active
    from peeklock.stack.relay.line import Line, Way


class Latency(NetworkFault):
    """What a target answers is `delay` seconds under way, give or take at most `jitter`. The throughput stays as it was."""

    kind: ClassVar[str] = "latency"
    short: ClassVar[str] = "delay"
    summary: ClassVar[str] = "answers come late"

    delay: Duration = Field(gt=0)
    jitter: Duration = Field(0.0, ge=0)

    async def carry(self, active: Active, line: Line, way: Way, data: bytes, at: float) -> AsyncIterator[bytes]:  # noqa: ARG002
        """Hold answers back until their time has come, or the fault is over."""
        if way == "answers":
            due = at + self.delay + random.uniform(-self.jitter, self.jitter)
            await active.wait(due - asyncio.get_running_loop().time())
        yield data
