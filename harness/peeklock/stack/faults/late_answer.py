"""`late_answer: 6s` — a request whose answer keeps its client waiting."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from peeklock.scenario.durations import Duration
from peeklock.stack.faults.fault import HttpFault
from peeklock.stack.faults.http import Response
from peeklock.stack.faults.strikes import Strikes


class LateAnswer(HttpFault):
    """A request is done at once, and its answer held back for `delay` seconds; other requests are answered meanwhile."""

    kind: ClassVar[str] = "late_answer"
    short: ClassVar[str] = "delay"
    summary: ClassVar[str] = "a request is done, and its answer held back for so long"

    delay: Duration = Field(gt=0)

    async def spoil(self, strikes: Strikes, response: Response) -> None:
        """Hold the answer back, or until the fault is over."""
        await strikes.wait(self.delay)
