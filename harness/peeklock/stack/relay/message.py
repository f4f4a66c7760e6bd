"""HTTP messages as the relay sees them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

Headers = list[tuple[bytes, bytes]]


class NotHttp(Exception):
    """What came cannot be read as HTTP/1.1."""


@dataclass
class Head:
    """The first line and the headers of a message."""

    line: bytes
    headers: Headers

    @classmethod
    def parse(cls, raw: bytes) -> Head:
        """Return the head that ends with an empty line. Raises `NotHttp`."""
        first, *lines = raw.removesuffix(b"\r\n\r\n").split(b"\r\n")
        headers = []
        for line in lines:
            name, colon, value = line.partition(b":")
            if not colon:
                raise NotHttp
            headers.append((name, value.strip()))
        return cls(first, headers)

    def get(self, name: bytes) -> bytes:
        """Return the value of a header, empty when it is not there."""
        return next((value for key, value in self.headers if key.lower() == name), b"")

    def raw(self) -> bytes:
        """Return it as it goes over the wire."""
        return b"\r\n".join([self.line, *(name + b": " + value for name, value in self.headers)]) + b"\r\n\r\n"

    @property
    def chunked(self) -> bool:
        """Whether the body comes in chunks."""
        return b"chunked" in self.get(b"transfer-encoding").lower()

    @property
    def length(self) -> int | None:
        """The announced length of the body."""
        value = self.get(b"content-length")
        return int(value) if value.isdigit() else None


@dataclass
class Request(Head):
    """A request of a service."""

    def __post_init__(self) -> None:
        parts = self.line.split(b" ")
        if len(parts) != 3 or not parts[2].startswith(b"HTTP/1."):
            raise NotHttp
        self.method = parts[0].decode("latin-1").upper()
        self.path = parts[1].partition(b"?")[0].decode("latin-1")
        """Without its query, in which there may be a signature."""


@dataclass
class Answer:
    """What a fault answers in the place of the target."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def raw(self, method: str) -> bytes:
        """Return it as it goes over the wire."""
        try:
            phrase = HTTPStatus(self.status).phrase
        except ValueError:
            phrase = "Fault"
        headers = {"Content-Length": str(len(self.body)), "Content-Type": "text/plain; charset=utf-8", **self.headers}
        if self.status in (204, 304):
            headers = dict(self.headers)
        lines = [f"HTTP/1.1 {self.status} {phrase}", *(f"{name}: {value}" for name, value in headers.items())]
        body = b"" if method == "HEAD" or self.status in (204, 304) else self.body
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


class Response(Head):
    """A response that faults may spoil: `pieces`, once set, go out instead of the body; `cut` closes the connection then."""

    def __init__(self, head: Head, body: AsyncIterator[bytes]) -> None:
        super().__init__(head.line, list(head.headers))
        self._body = body
        self.pieces: list[bytes] | None = None
        self.before_each: Callable[[], Awaitable[object]] | None = None
        self.cut = False

    @property
    def status(self) -> int:
        """The status code."""
        return int(self.line.split(b" ")[1])

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
