"""`status: 503` — an answer that the target did not give."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from peeklock.stack.faults.fault import HttpFault
from peeklock.stack.faults.http import Answer, Request


class Status(HttpFault):
    """Requests are answered with a status, and do not reach the target."""

    kind: ClassVar[str] = "status"
    short: ClassVar[str] = "code"
    summary: ClassVar[str] = "requests are answered with this status and do not reach the target"

    code: int = Field(ge=200, le=599)
    body: str = ""
    headers: dict[str, str] = {}

    def answer(self, request: Request) -> Answer | None:
        """Give the answer."""
        return Answer(self.code, self.headers, self.body.encode())
