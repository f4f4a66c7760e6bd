"""Blob storage: upload, and signatures that open exactly one blob for reading."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Self

from azure.storage.blob import BlobSasPermissions, ContentSettings, generate_blob_sas
from azure.storage.blob.aio import BlobServiceClient, ExponentialRetry


class Blobs:
    """One container of a storage account, reached with the account key of a connection string.

    A context manager. Methods raise ``azure.core.exceptions.AzureError`` once their few quick retries are spent.
    """

    def __init__(self, connection_string: str, container: str) -> None:
        self._service = BlobServiceClient.from_connection_string(
            connection_string,
            # At once, then after 1 s. The SDK's own first pause is 15 s: longer than any client of ours waits.
            retry_policy=ExponentialRetry(initial_backoff=0, increment_base=1, retry_total=2, random_jitter_range=0),
            connection_timeout=2,
            read_timeout=10,
        )
        self._container = self._service.get_container_client(container)
        self._key: str = self._service.credential.account_key

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._service.close()

    @property
    def location(self) -> str:
        """The container's URL, without any credential: for logs and pre-flight checks."""
        return str(self._container.url)

    async def upload(self, name: str, data: bytes, content_type: str) -> None:
        """Write ``data`` as the blob ``name``, replacing what a retried request may have left there."""
        await self._container.upload_blob(
            name, data, overwrite=True, content_settings=ContentSettings(content_type=content_type)
        )

    async def check(self) -> None:
        """Ask the container whether it is there; raise if it does not answer."""
        await self._container.get_container_properties(timeout=2)

    def read_url(self, name: str, lifetime: timedelta) -> str:
        """Return a URL that lets its bearer read the blob ``name``, and do nothing else, until ``lifetime`` is over.

        The signature names the object (``sr=b``) and only ``sp=r``. It has no start time: a signer whose clock runs
        ahead would otherwise mint URLs that the service still refuses.
        """
        signature = generate_blob_sas(
            account_name=str(self._service.account_name),
            container_name=self._container.container_name,
            blob_name=name,
            account_key=self._key,
            permission=BlobSasPermissions(read=True),
            expiry=datetime.now(UTC) + lifetime,
        )
        return f"{self._container.get_blob_client(name).url}?{signature}"
