"""Whoever holds a SAS URL and has nothing else: what it may do with blobs, and how it is refused."""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit
from xml.etree import ElementTree as ET

import httpx

from peeklock.engine.blob_facts import content_facts
from peeklock.engine.clients import Clients
from peeklock.errors import PeeklockError

_VERSION = "2021-12-02"
_METHODS = {"put": "PUT", "get": "GET", "head": "HEAD", "delete": "DELETE"}


class SasUrlInvalid(PeeklockError):
    """A text that is no SAS URL of a blob or a container; the error does not repeat it."""


class NoAnswer(PeeklockError):
    """The blob service did not answer."""


@dataclass(frozen=True)
class Answer:
    """What a holder is told: `facts` for the step, and in one line how the service answered."""

    facts: Mapping[str, Any]
    outcome: str
    refused: bool


class SasHolder:
    """Acts with the SAS of a URL, on the blob that the URL names or on another one. Raises `SasUrlInvalid`, `NoAnswer`."""

    def __init__(self, url: str, clients: Clients) -> None:
        try:
            parts = urlsplit(url)
        except ValueError:
            parts = urlsplit("")
        query = dict(parse_qsl(parts.query))
        if parts.scheme not in ("http", "https") or not parts.hostname or "sig" not in query:
            raise SasUrlInvalid(
                "this is no SAS URL",
                expected="https://…/container/name?…&sig=…",
                fix="capture one, as sas_url of `blob` or from an answer of the service that signs",
            )
        segments = parts.path.lstrip("/").split("/", 2 if _by_path(parts.hostname) else 1)
        account = [segments.pop(0)] if _by_path(parts.hostname) and segments else []
        self._root = "/".join([f"{parts.scheme}://{parts.netloc}", *account])
        self.container = unquote(segments[0]) if segments else ""
        self.blob = unquote(segments[1]) if len(segments) > 1 else ""
        self.permissions = query.get("sp", "")[:20]
        """Letters, as Azure abbreviates them; empty where a stored policy has them."""
        self.secrets = {url, query["sig"], quote(query["sig"], safe="")}
        """What must not be written."""
        self._sas, self._clients = parts.query, clients

    def put(
        self, container: str, name: str, body: bytes, content_type: str | None, metadata: dict[str, str], seconds: float
    ) -> Answer:
        """Create or replace a blob: `{status, size, sha256}`."""
        headers = {"x-ms-blob-type": "BlockBlob", **{f"x-ms-meta-{key}": value for key, value in metadata.items()}}
        if content_type:
            headers["content-type"] = content_type
        response = self._send("put", container, name, seconds, headers, body)
        return _answer(response, {"size": len(body), "sha256": hashlib.sha256(body).hexdigest()})

    def get(self, container: str, name: str, seconds: float) -> Answer:
        """Read a blob: what `head` tells, and `{sha256, text, json}` of the content as far as it is that."""
        response = self._send("get", container, name, seconds)
        return _answer(response, _properties(response) | content_facts(response.content))

    def head(self, container: str, name: str, seconds: float) -> Answer:
        """Look at a blob: `{status, exists, size, content_type, metadata}`."""
        response = self._send("head", container, name, seconds)
        return _answer(response, _properties(response))

    def delete(self, container: str, name: str, seconds: float) -> Answer:
        """Delete a blob: `{status}`."""
        return _answer(self._send("delete", container, name, seconds), {})

    def list(self, container: str, prefix: str, seconds: float) -> Answer:
        """List a container: `{status, count, blobs}`, as many as the service tells at once."""
        query = {"restype": "container", "comp": "list", **({"prefix": prefix} if prefix else {})}
        response = self._send("get", container, "", seconds, query=query)
        blobs = _listed(response.content) if response.is_success else []
        return _answer(response, {"count": len(blobs), "blobs": blobs})

    def _send(
        self,
        action: str,
        container: str,
        name: str,
        seconds: float,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        query: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        path = quote(f"/{container}/{name}".rstrip("/") if query else f"/{container}/{name}", safe="/~")
        url = f"{self._root}{path}?{urlencode(query) + '&' if query else ''}{self._sas}"
        request = self._clients.http.request(
            _METHODS[action], url, headers={"x-ms-version": _VERSION, **(headers or {})}, content=body
        )
        try:
            return self._clients.loop.run(request, max(seconds, 0.1))
        except (TimeoutError, httpx.HTTPError, httpx.InvalidURL) as error:
            raise NoAnswer(
                f"{action} {container}/{name}: {type(error).__name__}: no answer from the blob service"
            ) from None


def _by_path(host: str) -> bool:
    """Whether the account is the first part of the path, as with Azurite, and not of the host's name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    return True


def _answer(response: httpx.Response, facts: Mapping[str, Any]) -> Answer:
    status = response.status_code
    if response.is_success:
        return Answer({"status": status, **facts}, str(status), refused=False)
    code = re.search(r"<Code>([^<]+)</Code>", response.text)
    error = response.headers.get("x-ms-error-code") or (code[1] if code else response.reason_phrase)
    told: dict[str, Any] = {"status": status, "error": error}
    if (message := re.search(r"<Message>([^<\n]+)", response.text)) is not None:
        told["message"] = message[1]
    if status == 404 and response.request.method in ("GET", "HEAD"):
        told["exists"] = False
    return Answer(told, f"{status} {error}", refused=True)


def _properties(response: httpx.Response) -> dict[str, Any]:
    prefix = "x-ms-meta-"
    return {
        "exists": True,
        "size": int(response.headers.get("content-length", len(response.content))),
        "content_type": response.headers.get("content-type"),
        "metadata": {
            key.removeprefix(prefix): value for key, value in response.headers.items() if key.startswith(prefix)
        },
    }


def _listed(document: bytes) -> list[dict[str, Any]]:
    root = ET.fromstring(document)  # noqa: S314 -- the blob service of this stack
    return [
        {"name": blob.findtext("Name"), "size": int(blob.findtext("Properties/Content-Length") or 0)}
        for blob in root.iter("Blob")
    ]
