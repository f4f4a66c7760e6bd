"""`slow_body: 5s` — an answer that trickles in."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from peeklock.scenario.durations import Duration
from peeklock.stack.faults.fault import HttpFault
from peeklock.stack.faults.http import Response
from peeklock.stack.faults.strikes import Strikes

_PIECES = 20


class SlowBody(HttpFault):
    """The head of an answer comes at once, its body in pieces over `lasts` seconds."""

    kind: ClassVar[str] = "slow_body"
    of_bodies: ClassVar[bool] = True
    short: ClassVar[str] = "lasts"
    summary: ClassVar[str] = "the head of an answer comes at once, its body in pieces over so long"

    lasts: Duration = Field(gt=0)

    async def spoil(self, strikes: Strikes, response: Response) -> None:
        """Cut it into pieces with a pause before each; when the fault is over, the rest follows at once."""
        body = await response.read()
        size = max(1, -(-len(body) // _PIECES))
        response.pieces = [body[start : start + size] for start in range(0, len(body), size)]
        pause = self.lasts / max(1, len(response.pieces))
        response.before_each = lambda: strikes.wait(pause)
