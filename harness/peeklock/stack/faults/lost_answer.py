"""`lost_answer: true` — a request that is done, and whose client never hears of it."""

from __future__ import annotations

from typing import ClassVar

from peeklock.stack.faults.fault import HttpFault
from peeklock.stack.faults.http import Response
from peeklock.stack.faults.strikes import Strikes


class LostAnswer(HttpFault):
    """A request reaches the target and is done; the connection closes without a byte of the answer."""

    kind: ClassVar[str] = "lost_answer"
    summary: ClassVar[str] = "a request is done, and the connection closes without an answer"

    async def spoil(self, strikes: Strikes, response: Response) -> None:
        """Lose the answer."""
        response.lost = True
