"""Containers and blobs of the environment, to look at."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any
from urllib.parse import urlsplit

from peeklock.connection_strings import parts_of
from peeklock.errors import PeeklockError
from peeklock.redaction import redact
from peeklock.servicebus.http import HttpReply
from peeklock.stack.servers.blob_http import BlobAccount, BlobError
from peeklock.ui.chosen import Chosen
from peeklock.ui.shown import LONGEST_BODY, brief, content
from peeklock.ui.view import Document, Query, said

MOST = 100
"""Blobs of a list."""
LARGEST_PICTURE = 8 << 20
_MARGIN = 8 << 10
"""Bytes behind those that are shown: no secret is cut in half there."""
_PICTURES = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}
_INERT = (
    ("content-security-policy", "default-src 'none'; sandbox"),
    ("cross-origin-resource-policy", "same-origin"),
    ("x-content-type-options", "nosniff"),
    ("cache-control", "no-store"),
)


class Blobs:
    """Implements `View`."""

    def __init__(self, chosen: Chosen) -> None:
        self._chosen = chosen

    @property
    def looks(self) -> Mapping[str, Callable[[Query], Any]]:
        return {"containers": self._containers, "blobs": self._listed, "blob": self._blob, "picture": self._picture}

    @property
    def acts(self) -> Mapping[str, Callable[[Document], Any]]:
        return {}

    def _containers(self, _query: Query) -> list[str]:
        with self._account() as account:
            return sorted(account.containers())

    def _listed(self, query: Query) -> dict[str, Any]:
        with self._account() as account:
            found, after = account.blobs(
                said(query, "container"), query.get("prefix", ""), query.get("after", ""), MOST
            )
        return {
            "blobs": [
                {"name": brief(each.name), "opens": brief(each.name) == each.name, "size": each.size,
                 "type": brief(each.content_type), "written": each.written.timestamp() * 1000}
                for each in found
            ],
            "after": after,
        }  # fmt: skip

    def _blob(self, query: Query) -> dict[str, Any]:
        with self._account() as account:
            found = account.content(said(query, "container"), said(query, "name"), LONGEST_BODY + _MARGIN)
        cut = found.size > len(found.body)
        return {
            "size": found.size,
            "type": brief(found.content_type),
            "written": found.written.timestamp() * 1000,
            "metadata": {brief(name): brief(value) for name, value in found.metadata.items()},
            "picture": _picture_of(found.body) != "",
            **content(_whole_letters(found.body) if cut else found.body),
        }

    def _picture(self, query: Query) -> HttpReply:
        with self._account() as account:
            found = account.content(said(query, "container"), said(query, "name"), LARGEST_PICTURE)
        kind = _picture_of(found.body)
        if not kind or found.size > LARGEST_PICTURE:
            raise PeeklockError("it is no picture that is shown", expected="PNG, JPEG, GIF or WebP of at most 8 MiB")
        return HttpReply(200, found.body, kind, _INERT)

    @contextmanager
    def _account(self) -> Iterator[BlobAccount]:
        standing = self._chosen.standing()
        if standing.blobs_connection_string is None:
            raise PeeklockError(f"the environment {standing.name} has no blobs", fix="`stack: {blobs: {}}` in its file")
        parts = parts_of(standing.blobs_connection_string)
        port = urlsplit(parts["BlobEndpoint"]).port or 0
        with closing(BlobAccount(port, parts["AccountName"], parts["AccountKey"])) as account:
            try:
                yield account
            except BlobError as error:
                fix = "it may be gone: look at the list again" if error.status == 404 else ""
                raise PeeklockError("the blob service refused", actual=redact(str(error)), fix=fix) from None
            except (OSError, http.client.HTTPException) as error:
                raise PeeklockError("the blob service does not answer", actual=type(error).__name__) from None


def _picture_of(body: bytes) -> str:
    """Return the type of a picture by its first bytes, whatever it is said to be; empty for what is none."""
    if body[:4] == b"RIFF" and body[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for begin, kind in _PICTURES.items() if body.startswith(begin)), "")


def _whole_letters(body: bytes) -> bytes:
    """Return bytes that were cut without the part of a letter at their end."""
    try:
        body.decode()
    except UnicodeDecodeError as error:
        return body[: error.start] if error.start >= len(body) - 3 else body
    return body
