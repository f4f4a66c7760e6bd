"""A small HTTP server for what is not on a namespace's own port: the control API, the local issuer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote

if TYPE_CHECKING:
    import h11

MAX_HEADERS = 32 << 10
MAX_CONNECTIONS = 512
PATIENCE = 30.0
"""Seconds in which a request has to be there as a whole, once it has begun."""
KEEP_ALIVE = 600.0
STREAM_BUFFER = 256 << 10
"""How many bytes wait for who reads a stream."""


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request; the names of headers are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        """The path, still quoted."""
        return self.target.partition("?")[0]

    @property
    def parts(self) -> list[str]:
        """The parts of the path, unquoted."""
        return [unquote(part) for part in self.path.split("/")[1:]]

    @property
    def query(self) -> dict[str, list[str]]:
        """The parameters of the query."""
        return parse_qs(self.target.partition("?")[2])


@dataclass(frozen=True, slots=True)
class HttpReply:
    """What goes back. A `stream` has no end of its own: it is called with a future that is done when the client has gone."""

    status: int
    body: bytes = b""
    kind: str = "application/json"
    stream: Callable[[asyncio.Future[Any]], AsyncIterator[bytes]] | None = None


class HttpServer:
    """Listens on loopback; `answer` must not raise. Requests that come too slowly, are too long or too many are ended."""

    def __init__(
        self,
        answer: Callable[[HttpRequest], Awaitable[HttpReply]],
        *,
        max_body: int = 1 << 20,
        patience: float = PATIENCE,
        keep_alive: float = KEEP_ALIVE,
        connections: int = MAX_CONNECTIONS,
    ) -> None:
        self._handle = answer
        self._max_body = max_body
        self._patience = patience
        self._keep_alive = keep_alive
        self._connections = connections
        self._listener: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, address: str, port: int) -> int:
        """Listen on `address`; return the port. Raises `OSError` when it is taken."""
        self._listener = await asyncio.start_server(self._serve, address, port, backlog=128)
        return int(self._listener.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Close the port and every request that waits."""
        if self._listener is not None:
            self._listener.close()
        for task in list(self._tasks):
            task.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        import h11

        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        http = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEADERS)
        try:
            if len(self._tasks) > self._connections:
                await self._turn_away(http, reader, writer)
                return
            idle = self._patience
            while await self._one(http, reader, writer, idle):
                http.start_next_cycle()
                idle = self._keep_alive
        except (h11.ProtocolError, ConnectionError, TimeoutError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _turn_away(
        self, http: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Tell a client that there are too many; when there are far too many, nothing is told."""
        import h11

        if len(self._tasks) > 2 * self._connections:
            return
        await asyncio.wait_for(reader.read(65_536), self._patience)  # a client reads when it has written
        text = f'{{"error": "more than {self._connections} connections", "fix": "close some"}}'.encode()
        writer.write(_head(http, 503, "application/json", len(text)) + (http.send(h11.Data(data=text)) or b""))

    async def _one(
        self, http: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, idle: float
    ) -> bool:
        """Read a request and answer it; return whether another may follow."""
        import h11

        if not http.trailing_data[0]:
            http.receive_data(await asyncio.wait_for(reader.read(65_536), idle))
        request = await asyncio.wait_for(self._read(http, reader), self._patience)
        if request is None:
            return False
        reply = await self._handle(request)
        if reply.stream is not None:
            await self._stream(reply, http, reader, writer)
            return False
        out = _head(http, reply.status, reply.kind, len(reply.body))
        if reply.body:
            out += http.send(h11.Data(data=reply.body)) or b""
        writer.write(out + (http.send(h11.EndOfMessage()) or b""))
        await asyncio.wait_for(writer.drain(), self._patience)
        return http.our_state is h11.DONE and http.their_state is h11.DONE

    async def _read(self, http: h11.Connection, reader: asyncio.StreamReader) -> HttpRequest | None:
        import h11

        head: h11.Request | None = None
        body = bytearray()
        while True:
            event = http.next_event()
            if event is h11.NEED_DATA:
                http.receive_data(await reader.read(65_536))
            elif isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > self._max_body:
                    return None
            elif isinstance(event, h11.EndOfMessage) and head is not None:
                headers = {bytes(n).decode("latin-1").lower(): bytes(v).decode("latin-1") for n, v in head.headers}
                return HttpRequest(head.method.decode(), head.target.decode("latin-1"), headers, bytes(body))
            else:
                return None

    async def _stream(
        self, reply: HttpReply, http: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Send until the stream ends or its reader hangs up; a slow reader holds up nobody but itself."""
        import h11

        assert reply.stream is not None
        writer.transport.set_write_buffer_limits(high=STREAM_BUFFER)
        writer.write(_head(http, reply.status, reply.kind, None))
        gone = asyncio.ensure_future(reader.read(1))
        try:
            async for piece in reply.stream(gone):
                writer.write(http.send(h11.Data(data=piece)) or b"")
                await writer.drain()
            writer.write(http.send(h11.EndOfMessage()) or b"")
        finally:
            gone.cancel()


def _head(http: h11.Connection, status: int, kind: str, length: int | None) -> bytes:
    import h11

    fields = [(b"content-type", kind.encode())]
    if length is not None:
        fields.append((b"content-length", str(length).encode()))
    return http.send(h11.Response(status_code=status, headers=fields)) or b""
