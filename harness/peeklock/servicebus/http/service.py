"""What a door that speaks HTTP has to know: how to answer, and how much to take from a client."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass

from .messages import HttpReply, HttpRequest


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """In seconds and bytes: a whole request has to be there `request` after its first byte, the next one has to begin
    `keep_alive` after the last; `headers` and `body` are the most that a request may have."""

    request: float = 30.0
    keep_alive: float = 600.0
    headers: int = 32 << 10
    body: int = 1 << 20


class HttpService:
    """Answers requests. A door derives from it and says what is special; `log(event, **fields)` gets what goes wrong."""

    cancels = False
    """True when work for a client that has gone is to be cancelled."""

    def __init__(
        self, limits: HttpLimits, log: Callable[..., None], *, own_machine: bool = True, called: Collection[str] = ()
    ) -> None:
        """`own_machine`: web pages are refused, as they have no business with what only this machine can reach; `called`: hosts
        of others by which this machine's programs call it all the same, in lower case."""
        self.limits = limits
        self.log = log
        self.own_machine = own_machine
        self.called = called

    async def answer(self, request: HttpRequest) -> HttpReply:
        """Answer one request. What it raises is answered with 500 and logged with its traceback."""
        raise NotImplementedError

    def refusal(self, status: int, reason: str) -> HttpReply:
        """Say no in the words of this door."""
        raise NotImplementedError

    def body_limit(self, request: HttpRequest) -> int:  # noqa: ARG002 -- for doors that know who asks
        """Return how many bytes the body of a request may have; `request` has no body yet."""
        return self.limits.body

    def upgrade(self, request: HttpRequest, transport: asyncio.Transport, rest: bytes) -> bool:  # noqa: ARG002
        """Take over a connection that asks for another protocol, with the bytes that came behind; False to answer it."""
        return False

    def opened(self, transport: asyncio.Transport) -> None:
        """A connection has begun."""

    def answered(self, transport: asyncio.Transport, request: HttpRequest, reply: HttpReply) -> None:
        """A request is about to be answered so."""

    def closed(self, transport: asyncio.Transport) -> None:
        """A connection has ended, or was handed over."""
