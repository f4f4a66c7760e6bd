"""`truncate: 1000` — an answer whose end is missing."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from peeklock.stack.faults.fault import HttpFault
from peeklock.stack.faults.http import Response
from peeklock.stack.faults.strikes import Strikes


class Truncate(HttpFault):
    """The connection is closed when `after` bytes of a body have gone (at least its last byte is missing)."""

    kind: ClassVar[str] = "truncate"
    of_bodies: ClassVar[bool] = True
    short: ClassVar[str] = "after"
    summary: ClassVar[str] = "the connection is closed when so many bytes of a body have gone"

    after: int = Field(ge=0, description="bytes")

    async def spoil(self, strikes: Strikes, response: Response) -> None:
        """Keep the beginning; the announced length stays what it was."""
        body = await response.read()
        response.pieces = [body[: min(self.after, len(body) - 1)] if body else b""]
        response.cut = True
