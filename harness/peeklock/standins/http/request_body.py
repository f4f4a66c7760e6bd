"""The body of a request: undone from its encoding, and as a value."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from email.message import Message
from email.parser import BytesHeaderParser
from typing import Any
from urllib.parse import parse_qsl

from peeklock.servicebus.http import HttpRequest

FORM, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"
_ENCODINGS = frozenset({"gzip", "x-gzip", "deflate"})
_ANY_HEADER = 32 + zlib.MAX_WBITS
"""Lets zlib find out whether it is gzip or deflate."""


def decoded(request: HttpRequest, most: int) -> HttpRequest:
    """Return a request with its gzip or deflate undone; as it is when that fails or becomes longer than `most` bytes."""
    if request.headers.get("content-encoding", "").strip().lower() not in _ENCODINGS:
        return request
    unpacking = zlib.decompressobj(_ANY_HEADER)
    try:
        body = unpacking.decompress(request.body, most + 1)
    except zlib.error:
        return request
    return replace(request, body=body) if unpacking.eof and len(body) <= most else request


def value_of(body: bytes, content_type: str) -> Any:
    """Return a value of JSON, the fields of a form, a text, or None for bytes and for nothing."""
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type == MULTIPART:
        return by_name(_parts(body, content_type)) or None
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return None
    if media_type == FORM:
        return by_name(parse_qsl(text, keep_blank_values=True))
    if media_type in ("", "application/json") or media_type.endswith("+json"):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text or None
    return text or None


def by_name(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Return fields by name: a list where one is repeated."""
    found: dict[str, list[Any]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


def _parts(body: bytes, content_type: str) -> Iterator[tuple[str, Any]]:
    """Yield name and value of each field of a multipart form; nothing of what is none."""
    head = Message()
    head["content-type"] = content_type
    boundary = head.get_boundary()
    if not boundary:
        return
    for piece in (b"\r\n" + body).split(b"\r\n--" + boundary.encode())[1:]:
        raw, blank, content = piece.partition(b"\r\n\r\n")
        if piece.startswith(b"--") or not blank:
            return
        headers = BytesHeaderParser().parsebytes(raw.lstrip(b"\r\n"))
        name = headers.get_param("name", header="content-disposition")
        if isinstance(name, str):
            yield name, _field(headers, content)


def _field(headers: Message, content: bytes) -> Any:
    """Return the text of a field, or what a file is."""
    filename, kind = headers.get_filename(), headers.get("content-type", "")
    if filename is None:
        value = value_of(content, kind or "text/plain")
        return "" if value is None else value
    value = value_of(content, kind) if kind.partition("/")[0] == "text" or "json" in kind else None
    file: Mapping[str, Any] = {"filename": filename, "content_type": kind or "application/octet-stream"}
    facts = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    return {**file, **facts, **({} if value is None else {"content": value})}
