"""The head of a blob request: which account, container and blob it is for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qsl, unquote

from peeklock.stack.blob_door.refusals import bad_request

_DOMAIN = ".blob.core.windows.net"


@dataclass(frozen=True, slots=True)
class BlobRequest:
    """A request's head. `path` is what follows the account in the URL, encoded as it was sent: empty, or with a slash in front;
    `headers` are in lower case, in their order."""

    method: str
    account: str
    path: str
    raw_query: str
    headers: tuple[tuple[str, str], ...]
    in_path: bool
    """True when the account is in the path of the URL, not in its host."""
    query: Mapping[str, str] = field(init=False)
    """By name in lower case, decoded."""

    def __post_init__(self) -> None:
        pairs = parse_qsl(self.raw_query, keep_blank_values=True)
        query = {name.lower(): value for name, value in pairs}
        if len(query) < len(pairs):  # Azurite might look at another one of them than the door
            raise bad_request("InvalidQueryParameterValue", "A query parameter is specified more than once.")
        object.__setattr__(self, "query", query)

    @classmethod
    def read(cls, method: str, target: str, headers: Iterable[tuple[str, str]]) -> BlobRequest:
        """Read a request line and headers. Raises `Refused` for a target that is no path."""
        kept = tuple((name.lower(), value.strip()) for name, value in headers)
        path, _, query = target.partition("?")
        if not path.startswith("/"):
            raise bad_request("InvalidUri", "The requested URI does not represent any resource on the server.")
        host = dict(kept).get("host", "").partition(":")[0].lower()
        if host.endswith(_DOMAIN):
            return cls(method, host.removesuffix(_DOMAIN), path, query, kept, in_path=False)
        account, slash, rest = path[1:].partition("/")
        return cls(method, account, slash + rest, query, kept, in_path=True)

    @property
    def at_container(self) -> bool:
        """True for an operation on a container, or on what is in it as a whole."""
        first, _, rest = self.path[1:].partition("/")
        return bool(first) and not rest and self.query.get("restype") in ("container", "account")

    @property
    def container(self) -> str:
        """The container's name, "" for the account itself."""
        first, slash, rest = self.path[1:].partition("/")
        return unquote(first) if not first or self.at_container or (slash and rest) else "$root"

    @property
    def blob(self) -> str:
        """The blob's name, decoded, "" for the container itself."""
        first, slash, rest = self.path[1:].partition("/")
        if not first or self.at_container:
            return ""
        return unquote(rest) if slash and rest else unquote(first)

    def header(self, name: str) -> str:
        """Return a header by its name in lower case, "" when there is none."""
        return next((value for key, value in self.headers if key == name), "")

    def without(self, *, headers: Iterable[str] = (), query: Iterable[str] = ()) -> BlobRequest:
        """Return the same without some headers and parameters of the query; what is left of the query stays as it was sent."""
        dropped, gone = set(headers), set(query)
        pieces = [p for p in self.raw_query.split("&") if p and unquote(p.partition("=")[0]).lower() not in gone]
        kept = tuple(pair for pair in self.headers if pair[0] not in dropped)
        return replace(self, headers=kept, raw_query="&".join(pieces))

    def with_headers(self, **headers: str) -> BlobRequest:
        """Return the same with headers in the place of those of their names; `_` stands for `-`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        kept = tuple(pair for pair in self.headers if pair[0] not in named)
        return replace(self, headers=(*kept, *named.items()))

    def to(self, account: str) -> BlobRequest:
        """Return the same for an account in the path."""
        return replace(self, account=account, in_path=True)

    @property
    def url_path(self) -> str:
        """The path of the URL."""
        return f"/{self.account}{self.path}" if self.in_path else self.path

    @property
    def target(self) -> str:
        """What stands in the request line."""
        return f"{self.url_path}?{self.raw_query}" if self.raw_query else self.url_path
