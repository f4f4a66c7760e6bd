"""The storage account of an environment, by the real SDK. Costs half a second to import: `Clients` does it at the first use."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from azure.core.exceptions import AzureError, HttpResponseError
from azure.storage.blob import (
    BlobClient,
    BlobSasPermissions,
    BlobServiceClient,
    ContainerSasPermissions,
    ContentSettings,
    generate_blob_sas,
    generate_container_sas,
)

from peeklock.connection_strings import parts_of
from peeklock.engine.blob_facts import content_facts
from peeklock.errors import PeeklockError

IDLE = 1.0
"""Seconds after which a connection that nobody has used is not used again."""


class BlobFailed(PeeklockError):
    """The blob service refused, or did not answer; `status` is 0 then."""

    def __init__(self, problem: str, status: int = 0) -> None:
        super().__init__(problem)
        self.status = status


class BlobAccount:
    """Puts, gets and signs blobs. Every call takes the seconds that it may wait for an answer. Raises `BlobFailed`."""

    def __init__(self, connection_string: str, seen: str, called: Mapping[str, str]) -> None:
        """`seen`: the connection string as services have it; the test's own way may be another one, past the faults. `called`: what
        containers are called there, where that is not their name."""
        self._connection_string = connection_string
        self._service = BlobServiceClient.from_connection_string(connection_string, retry_total=0)
        self._called = called
        self._used_at = time.monotonic()
        self._facts = parts_of(connection_string)
        self._seen = parts_of(seen).get("BlobEndpoint", "")

    def close(self) -> None:
        self._service.close()

    @property
    def _client(self) -> BlobServiceClient:
        """A client whose connections are no older than `IDLE`: whoever sends in the moment in which Azurite closes one, as it
        does after 5 s, gets no answer."""
        now = time.monotonic()
        if now - self._used_at > IDLE:
            self._service.close()
            self._service = BlobServiceClient.from_connection_string(self._connection_string, retry_total=0)
        self._used_at = now
        return self._service

    def url(self, container: str, name: str) -> str:
        """Return a blob's URL as services see it."""
        url: str = self._client.get_blob_client(self._called.get(container, container), name).url
        return self._seen + url.removeprefix(self._facts.get("BlobEndpoint", ""))

    def put(
        self, container: str, name: str, body: bytes, content_type: str | None, metadata: dict[str, str], seconds: float
    ) -> None:
        settings = ContentSettings(content_type=content_type) if content_type else None
        with self._told("put", container, name) as blob:
            blob.upload_blob(
                body, overwrite=True, content_settings=settings, metadata=metadata or None, **_within(seconds)
            )

    def delete(self, container: str, name: str, seconds: float) -> None:
        with self._told("delete", container, name) as blob:
            blob.delete_blob(**_within(seconds))

    def head(self, container: str, name: str, seconds: float) -> dict[str, Any]:
        """Return `{exists, size, content_type, metadata}`; `exists` alone of a blob that is not there."""
        try:
            with self._told("head", container, name) as blob:
                found = blob.get_blob_properties(**_within(seconds))
        except BlobFailed as error:
            if error.status == 404:
                return {"exists": False}
            raise
        return {
            "exists": True,
            "size": found.size,
            "content_type": found.content_settings.content_type,
            "metadata": dict(found.metadata or {}),
        }

    def get(self, container: str, name: str, seconds: float) -> dict[str, Any]:
        """Return what `head` does, and `{sha256, text, json}` of the content as far as it is that."""
        facts = self.head(container, name, seconds)
        if not facts["exists"]:
            return facts
        with self._told("get", container, name) as blob:
            body = blob.download_blob(**_within(seconds)).readall()
        return facts | content_facts(body)

    def list(self, container: str, prefix: str, seconds: float) -> list[dict[str, Any]]:
        """Return `{name, size}` of each blob of a container whose name begins so."""
        with self._told("list", container, prefix):
            client = self._client.get_container_client(self._called.get(container, container))
            found = client.list_blobs(name_starts_with=prefix or None, **_within(seconds))
            return [{"name": blob.name, "size": blob.size} for blob in found]

    def sign(
        self,
        container: str,
        blob: str | None,
        permissions: str,
        starts: datetime | None,
        expires: datetime,
        *,
        https_only: bool,
    ) -> str:
        """Return the query string of a signature for a blob, or for the whole container when `blob` is None.

        `permissions` are the letters of the protocol: r, w, c, d, l …
        """
        common: dict[str, Any] = {
            "account_name": self._facts["AccountName"],
            "account_key": self._facts["AccountKey"],
            "container_name": self._called.get(container, container),
            "expiry": expires,
            "start": starts,
            "protocol": "https" if https_only else None,
        }
        if blob is None:
            granted = ContainerSasPermissions.from_string(permissions)
            return str(generate_container_sas(permission=granted, **common))
        allowed = BlobSasPermissions.from_string(permissions)
        return str(generate_blob_sas(blob_name=blob, permission=allowed, **common))

    @contextmanager
    def _told(self, action: str, container: str, name: str) -> Iterator[BlobClient]:
        target = f"{action} {container}/{name}"
        try:
            yield self._client.get_blob_client(self._called.get(container, container), name or "-")
        except HttpResponseError as error:
            code = getattr(error, "error_code", "") or error.reason
            raise BlobFailed(f"{target}: {error.status_code} {code}", error.status_code or 0) from None
        except (AzureError, ValueError) as error:
            raise BlobFailed(f"{target}: {type(error).__name__}: no answer from the blob service") from None


def _within(seconds: float) -> dict[str, Any]:
    return {"connection_timeout": max(seconds, 0.1), "read_timeout": max(seconds, 0.1)}
