"""`content_length: -100` — an answer that announces another length than it has."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from peeklock.stack.faults.fault import HttpFault
from peeklock.stack.faults.http import Response
from peeklock.stack.faults.strikes import Strikes


class ContentLength(HttpFault):
    """`off_by` is added to the length that is announced: with less, the end of the body is missing and nothing tells of it;
    with more, the connection is closed before all has come."""

    kind: ClassVar[str] = "content_length"
    of_bodies: ClassVar[bool] = True
    short: ClassVar[str] = "off_by"
    summary: ClassVar[str] = "so much is added to the announced length; with less, the end is missing unnoticed"

    off_by: int = Field(description="bytes, not 0")

    async def spoil(self, strikes: Strikes, response: Response) -> None:
        """Announce it, and send no more than was announced."""
        body = await response.read()
        length = max(0, len(body) + self.off_by)
        response.announce(length)
        response.pieces = [body[:length]]
        response.cut = True
