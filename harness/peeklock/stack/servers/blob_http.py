"""The few Blob Storage requests that the backend itself makes: 2 ms each, without the 0.45 s that importing the SDK costs."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import http.client
import re
import threading
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from datetime import datetime
from email.message import Message
from email.utils import formatdate, parsedate_to_datetime
from urllib.parse import quote, unquote, urlencode

_VERSION = "2021-12-02"


class BlobError(Exception):
    """An answer that was not 2xx."""

    def __init__(self, status: int, request: str, body: bytes) -> None:
        code = re.search(rb"<Code>([^<]+)", body)
        super().__init__(f"{request}: {status} {code[1].decode() if code else ''}".rstrip())
        self.status = status


@dataclass(frozen=True, slots=True)
class Blob:
    """What a list tells of a blob."""

    name: str
    size: int
    """Bytes."""
    content_type: str
    written: datetime


@dataclass(frozen=True, slots=True)
class Content:
    """The first bytes of a blob."""

    body: bytes
    size: int
    """Bytes of the whole."""
    content_type: str
    written: datetime
    metadata: dict[str, str]


class BlobAccount:
    """One account of a path-style blob endpoint, over one kept-alive connection. Thread-safe."""

    def __init__(self, port: int, account: str, key: str, timeout: float = 10.0) -> None:
        self._port, self._account, self._key, self._timeout = port, account, base64.b64decode(key), timeout
        self._lock = threading.Lock()
        self._connection: http.client.HTTPConnection | None = None

    def containers(self) -> list[str]:
        body = self._request("GET", "", {"comp": "list"})
        return [unquote(name.decode()) for name in re.findall(rb"<Container><Name>([^<]+)</Name>", body)]

    def create_container(self, name: str) -> None:
        self._request("PUT", f"/{name}", {"restype": "container"})

    def delete_container(self, name: str) -> None:
        self._request("DELETE", f"/{name}", {"restype": "container"})

    def put(self, container: str, blob: str, body: bytes) -> datetime:
        """Write it; when that was, by the server's clock, to the second."""
        headers, _ = self._exchange("PUT", f"/{container}/{quote(blob)}", {}, body, {"x-ms-blob-type": "BlockBlob"})
        return parsedate_to_datetime(headers["Last-Modified"])

    def get(self, container: str, blob: str) -> bytes:
        return self._request("GET", f"/{container}/{quote(blob)}", {})

    def blobs(self, container: str, prefix: str, after: str, most: int) -> tuple[list[Blob], str]:
        """Return the first blobs whose name begins so, and what `after` is for the next ones; empty behind the last."""
        query = {"restype": "container", "comp": "list", "maxresults": str(most)}
        query |= {name: value for name, value in (("prefix", prefix), ("marker", after)) if value}
        listed = ET.fromstring(self._request("GET", f"/{container}", query))  # noqa: S314  of our own Azurite
        return [_blob(each) for each in listed.iter("Blob")], listed.findtext("NextMarker") or ""

    def content(self, container: str, blob: str, most: int) -> Content:
        """Return the first `most` bytes of a blob, and what is known of it."""
        path = f"/{container}/{quote(blob)}"
        facts, _ = self._exchange("HEAD", path, {}, b"", None)
        size = int(facts["Content-Length"])
        body = b""
        if size:  # of an empty blob there is no range
            body = self._request("GET", path, {}, headers={"x-ms-range": f"bytes=0-{most - 1}"})
        metadata = {name[10:]: value for name, value in facts.items() if name.lower().startswith("x-ms-meta-")}
        written = parsedate_to_datetime(facts["Last-Modified"])
        return Content(body, size, facts.get("Content-Type", ""), written, metadata)

    def reset(self, wanted: list[str]) -> None:
        """Leave exactly the containers `wanted`, empty and without leases, policies or metadata."""
        for name in self.containers():
            try:
                self.delete_container(name)
            except BlobError as error:
                if error.status == 412:  # leased: nothing but breaking the lease helps
                    self._request(
                        "PUT", f"/{name}", {"restype": "container", "comp": "lease"},
                        headers={"x-ms-lease-action": "break", "x-ms-lease-break-period": "0"},
                    )  # fmt: skip
                    self.delete_container(name)
                elif error.status != 404:
                    raise
        for name in wanted:
            with contextlib.suppress(BlobError):  # a service that runs may have made it in this moment
                self.create_container(name)
        missing = set(wanted) - set(self.containers()) if wanted else set()
        for name in missing:
            self.create_container(name)

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _request(
        self, method: str, path: str, query: dict[str, str], body: bytes = b"", headers: dict[str, str] | None = None
    ) -> bytes:
        return self._exchange(method, path, query, body, headers)[1]

    def _exchange(
        self, method: str, path: str, query: dict[str, str], body: bytes, headers: dict[str, str] | None
    ) -> tuple[Message, bytes]:
        special = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": _VERSION, **(headers or {})}
        length = str(len(body)) if body else ""
        canonical_headers = "".join(f"{name}:{value}\n" for name, value in sorted(special.items()))
        resource = f"/{self._account}/{self._account}{path}" + "".join(f"\n{k}:{v}" for k, v in sorted(query.items()))
        to_sign = f"{method}\n\n\n{length}\n\n\n\n\n\n\n\n\n{canonical_headers}{resource}"
        signature = base64.b64encode(hmac.new(self._key, to_sign.encode(), hashlib.sha256).digest()).decode()
        url = f"/{self._account}{path}" + (f"?{urlencode(query)}" if query else "")
        sent = {**special, "Authorization": f"SharedKey {self._account}:{signature}", "Content-Length": str(len(body))}
        with self._lock:
            for attempt in (1, 2):
                if self._connection is None:
                    self._connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=self._timeout)
                try:
                    self._connection.request(method, url, body, sent)
                    response = self._connection.getresponse()
                    answer = response.read()
                    break
                except (OSError, http.client.HTTPException) as error:
                    self._connection.close()
                    self._connection = None
                    # Azurite closes a connection that was idle for 5 s; every request here may be repeated.
                    was_idle = isinstance(
                        error, http.client.RemoteDisconnected | BrokenPipeError | ConnectionResetError
                    )
                    if attempt == 2 or not was_idle:
                        raise
        if not 200 <= response.status < 300:
            raise BlobError(response.status, f"{method} {path}", answer)
        return response.headers, answer


def _blob(element: ET.Element) -> Blob:
    name = element.find("Name")
    told = "" if name is None else name.text or ""
    if name is not None and name.get("Encoded") == "true":
        told = unquote(told)
    written = parsedate_to_datetime(element.findtext("Properties/Last-Modified") or "")
    size = int(element.findtext("Properties/Content-Length") or 0)
    return Blob(told, size, element.findtext("Properties/Content-Type") or "", written)
