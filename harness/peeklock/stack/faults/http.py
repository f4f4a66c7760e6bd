"""What a fault of HTTP sees: a request, and the response that it may spoil or replace."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field

Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Request:
    """A request of a service."""

    method: str
    """In capitals."""
    path: str
    """Without its query, in which there may be a signature."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a fault answers in the place of the target."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


class Response:
    """A response that faults may spoil: `pieces`, once set, go out instead of the body; `cut` closes the connection then."""

    def __init__(self, status: int, headers: Headers, body: AsyncIterator[bytes]) -> None:
        self.status, self.headers = status, headers
        self._body = body
        self.pieces: list[bytes] | None = None
        self.before_each: Callable[[], Awaitable[object]] | None = None
        self.cut = False
        self.lost = False
        """Nothing of it goes out: the connection closes instead."""

    async def read(self) -> bytes:
        """Return the whole body, as it is after the faults before."""
        if self.pieces is None:
            self.pieces = [piece async for piece in self._body]
        return b"".join(self.pieces)

    def announce(self, length: int) -> None:
        """Let the head tell this length."""
        kept = [(k, v) for k, v in self.headers if k.lower() not in (b"content-length", b"transfer-encoding")]
        self.headers = [*kept, (b"Content-Length", str(length).encode())]

    async def body(self) -> AsyncIterator[bytes]:
        """Yield what goes out."""
        if self.pieces is None:
            async for piece in self._body:
                yield piece
            return
        for piece in self.pieces:
            if self.before_each is not None:
                await self.before_each()
            yield piece
