"""The head of a blob request: which account, container and blob it is for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qsl, unquote, unquote_to_bytes

from peeklock.stack.blob_door.refusals import Refused, bad_request

DOMAIN = "blob.core.windows.net"
SECONDARY = "-secondary"
"""What an account's name has behind it where its copy in another region is meant."""
_CONTAINER = re.compile(r"\$root|\$web|\$logs|[a-z0-9]+(-[a-z0-9]+)*")
_TARGET = re.compile(r"/[!-\"$-\[\]-~]*")
"""Visible ASCII but `#` and `\\`, which Node.js reads as the end of a path, and as a slash."""
_SPOILT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ONCE = ("authorization", "host", "content-length", "content-type", "content-encoding", "content-md5", "range", "date",
         "if-match", "if-none-match", "if-modified-since", "if-unmodified-since")  # fmt: skip
_DECIDING = ("comp", "restype", "snapshot", "versionid", "deletetype")
_MOST_PARAMETERS = 100
_MORE_THAN_TEXT = re.compile(r"[^\t\x20-\x7e\x80-\xff]")


@dataclass(frozen=True, slots=True)
class BlobRequest:
    """A request's head. `path` is what follows the account in the URL, encoded as it was sent: empty, or with a slash in front;
    `headers` are in lower case, in their order.

    What the door and Azurite could read differently is refused: repeated parameters and headers, parameters in other case,
    slashes that are encoded where a container's name ends.
    """

    method: str
    account: str
    path: str
    raw_query: str
    headers: tuple[tuple[str, str], ...]
    in_path: bool
    """True when the account is in the path of the URL, not in its host."""
    secondary: bool = False
    """True when the account is called as the copy of it in another region is, for reading. What is signed does not tell."""
    query: Mapping[str, str] = field(init=False)
    """By name in lower case, decoded."""
    _named: Mapping[str, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_named", dict(reversed(self.headers)))  # the first of a name counts
        pairs = parse_qsl(self.raw_query, keep_blank_values=True)
        query = {name.lower(): value for name, value in pairs}
        if len(query) < len(pairs):
            raise _bad_parameter("A query parameter is specified more than once.")
        if len(pairs) > _MOST_PARAMETERS or any(_ambiguous(name) for name, _ in pairs):
            raise _bad_parameter("A query parameter specified in the request URI is invalid.")
        object.__setattr__(self, "query", query)

    @classmethod
    def read(cls, method: str, target: str, headers: Iterable[tuple[str, str]]) -> BlobRequest:
        """Read a request line and headers. Raises `Refused` for what is none, or could be read differently."""
        kept = tuple([(name.lower(), value.strip()) for name, value in headers])
        seen: set[str] = set()
        for name, _ in kept:
            if name in seen and (name.startswith("x-ms-") or name in _ONCE):
                raise bad_request("InvalidHeaderValue", "One of the HTTP headers is specified more than once.")
            seen.add(name)
        path, _, query = target.partition("?")
        if not _TARGET.fullmatch(target) or _SPOILT.search(path):
            raise _bad_uri()
        host = dict(kept).get("host", "").partition(":")[0].lower()
        if host.endswith(f".{DOMAIN}"):
            account, rest, in_path = host.removesuffix(f".{DOMAIN}"), path, False
        else:
            account, slash, rest = path[1:].partition("/")
            rest, in_path = slash + rest, True
        secondary = account.endswith(SECONDARY)
        request = cls(method, account.removesuffix(SECONDARY), rest, query, kept, in_path, secondary)
        request._check_path()
        return request

    def _check_path(self) -> None:
        try:
            unquote_to_bytes(self.path).decode()
        except UnicodeDecodeError:
            raise _bad_uri() from None
        first, slash, rest = self.path[1:].partition("/")
        if not first and (slash or rest):
            raise _bad_uri()
        in_root = not (slash or self.at_container)
        name = unquote(first)
        if (in_root and ("/" in name or "\\" in name)) or (first and not in_root and not _CONTAINER.fullmatch(name)):
            text = "The specified resource name contains invalid characters."
            raise bad_request("InvalidResourceName", text)

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
        """The blob's name, decoded, "" for the container itself. A backslash is a slash, as in Azure."""
        first, slash, rest = self.path[1:].partition("/")
        if not first or self.at_container:
            return ""
        return unquote(rest if slash and rest else first).replace("\\", "/")

    def header(self, name: str) -> str:
        """Return a header by its name in lower case, "" when there is none."""
        return self._named.get(name, "")

    def each(self, *names: str) -> list[str]:
        """Return parameters of the query as lines of a text to sign, "" for those that are not there. Raises `Refused` for one
        that is more than a line."""
        found = [self.query.get(name, "") for name in names]
        if any("\n" in value for value in found):
            raise _bad_parameter("A query parameter specified in the request URI is invalid.")
        return found

    def without(self, query: Iterable[str]) -> BlobRequest:
        """Return the same without some parameters of the query; the others stay as they were sent."""
        gone = set(query)
        pieces = [p for p in self.raw_query.split("&") if p and unquote(p.partition("=")[0]).lower() not in gone]
        return replace(self, raw_query="&".join(pieces))

    def with_headers(self, *, without: Iterable[str] = (), **headers: str) -> BlobRequest:
        """Return the same with headers in the place of those of their names (`_` stands for `-`), and `without` some. Raises
        `Refused` for a value that is more than a line."""
        if any(_MORE_THAN_TEXT.search(value) for value in headers.values()):
            raise bad_request("InvalidHeaderValue", "The value for one of the HTTP headers is not valid.")
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        gone = {*without, *named}
        return replace(self, headers=(*[pair for pair in self.headers if pair[0] not in gone], *named.items()))

    def with_query(self, pair: str) -> BlobRequest:
        """Return the same with one more parameter, encoded as it is to be sent."""
        return replace(self, raw_query="&".join(filter(None, (self.raw_query, pair))))

    def to(self, account: str) -> BlobRequest:
        """Return the same for an account in the path."""
        return replace(self, account=account, in_path=True)

    @property
    def url_path(self) -> str:
        """The path of the URL, as it is signed."""
        return f"/{self.account}{self.path}" if self.in_path else self.path

    @property
    def target(self) -> str:
        """What stands in the request line."""
        account = f"/{self.account}{SECONDARY if self.secondary else ''}" if self.in_path else ""
        return f"{account}{self.path}?{self.raw_query}" if self.raw_query else f"{account}{self.path}"


def _ambiguous(name: str) -> bool:
    return "[" in name or (name != name.lower() and name.lower() in _DECIDING)


def _bad_parameter(text: str) -> Refused:
    return bad_request("InvalidQueryParameterValue", text)


def _bad_uri() -> Refused:
    return bad_request("InvalidUri", "The requested URI does not represent any resource on the server.")
