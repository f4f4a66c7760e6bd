"""One request of a client, and its answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from http import HTTPStatus

from peeklock.stack.blob_door.http1 import Body, Request, head

Fields = Iterable[tuple[str, str]]


class Exchange:
    """Reads the body of a request and writes the answer to it. `address` is the client's."""

    def __init__(self, request: Request, writer: asyncio.StreamWriter, address: str) -> None:
        self.request, self.address = request, address
        self.answered = False
        """Whether an answer has begun."""
        self._writer = writer
        self._waits = any(
            name.lower() == "expect" and value.lower() == "100-continue" for name, value in request.fields
        )

    @property
    def keeps(self) -> bool:
        """Whether another request may follow on the connection."""
        return self.request.keeps and self.request.body.read

    async def body(self) -> AsyncIterator[bytes]:
        """Yield the body of the request; a client that waits until it may send it is told that it may."""
        if self._waits:
            self._waits = False
            await self._send(b"HTTP/1.1 100 Continue\r\n\r\n")
        async for piece in self.request.body.pieces():
            yield piece

    async def drop_body(self) -> None:
        """Read what is sent unasked: a client that still sends would lose the answer with the connection."""
        if not self._waits:
            async for _ in self.request.body.pieces():
                pass

    async def tell(self, status: int, fields: Fields, body: bytes, reason: str = "") -> None:
        """Answer by oneself. `reason` must be plain text, and is the usual one by default."""
        start = self._head(status, reason or HTTPStatus(status).phrase, [*fields, ("Content-Length", str(len(body)))])
        await self._send(start if self.request.method == "HEAD" else start + body)

    async def pass_on(self, status: int, reason: str, fields: Fields, body: Body) -> None:
        """Answer with what comes from elsewhere, piece by piece. Raises as `Body.pieces` does."""
        chunked = body.length is None
        fields = [*fields]
        # Clients hang up behind an answer to HEAD without either header, as Azurite's 404; Azure's says that it is chunked.
        framed = not chunked and (
            self.request.method != "HEAD" or any(key.lower() == "content-length" for key, _ in fields)
        )
        data = self._head(status, reason, fields if framed else [*fields, ("Transfer-Encoding", "chunked")])
        async for piece in body.pieces():
            data += b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece
            await self._send(data)  # the head with the first of it: each send costs
            data = b""
        data += b"0\r\n\r\n" if chunked else b""
        if data:
            await self._send(data)

    def _head(self, status: int, reason: str, fields: Fields) -> bytes:
        self.answered = True
        return head(
            f"HTTP/1.1 {status} {reason}", [*fields, *(() if self.request.keeps else [("Connection", "close")])]
        )

    async def _send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()
