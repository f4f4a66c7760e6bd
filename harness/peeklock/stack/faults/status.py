"""`status: 503` — an answer that the target did not give."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from peeklock.stack.faults.fault import HttpFault
from peeklock.stack.relay.message import Answer

if TYPE_CHECKING:
    from peeklock.stack.relay.message import Request


class Status(HttpFault):
    """Requests are answered with a status, and do not reach the target."""

    kind: ClassVar[str] = "status"
    short: ClassVar[str] = "code"
    summary: ClassVar[str] = "requests are answered with this status and do not reach the target"

    code: int = Field(ge=200, le=599)
    body: str = ""
    headers: dict[str, str] = {}

    def answer(self, request: Request) -> Answer | None:  # noqa: ARG002
        """Give the answer."""
        return Answer(self.code, self.headers, self.body.encode())
