"""One HTTP request and its reply."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote

if TYPE_CHECKING:
    import asyncio


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request. `headers` are by name in lower case, `raw_headers` as they came; `secure` is True inside TLS."""

    method: str
    target: str
    headers: Mapping[str, str]
    raw_headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    secure: bool = False

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
    """What goes back. `kind` is its content type; a `stream` has no end of its own: it is called with a future that is
    done when the client has gone, and yields the body."""

    status: int
    body: bytes = b""
    kind: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    stream: Callable[[asyncio.Future[Any]], AsyncIterator[bytes]] | None = None
