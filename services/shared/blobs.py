"""Blob storage: write, read, count, and sign URLs that open exactly one blob for one purpose."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Self
from uuid import uuid4

from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.storage.blob import BlobSasPermissions, ContentSettings, generate_blob_sas
from azure.storage.blob.aio import BlobServiceClient, ExponentialRetry

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential

_CONDITION_NOT_MET = 412
_MARK = 16
"""Bytes by which who counts is known."""


def blob_service(
    connection_string: str | None = None, *, account: str = "", credential: AsyncTokenCredential | None = None
) -> BlobServiceClient:
    """Return a client of the account in ``connection_string``, else of the ``account`` by name, as ``credential``.

    It gives up within seconds: our callers retry, or tell their own callers to.
    """
    # At once, then after 1 s. The SDK's own first pause is 15 s: longer than any client of ours waits.
    retry = ExponentialRetry(initial_backoff=0, increment_base=1, retry_total=2, random_jitter_range=0)
    if connection_string is not None:
        return BlobServiceClient.from_connection_string(
            connection_string, retry_policy=retry, connection_timeout=2, read_timeout=10
        )
    return BlobServiceClient(
        f"https://{account}.blob.core.windows.net",
        credential,
        retry_policy=retry,
        connection_timeout=2,
        read_timeout=10,
    )


class Blobs:
    """One container of a storage account.

    A context manager, which closes ``service`` at its end. Methods raise ``azure.core.exceptions.AzureError`` once
    their few quick retries are spent.
    """

    def __init__(self, service: BlobServiceClient, container: str) -> None:
        self._service = service
        self._container = service.get_container_client(container)

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

    async def create(self, name: str, data: bytes, content_type: str, metadata: dict[str, str] | None = None) -> bool:
        """Write ``data`` as the blob ``name`` unless there is one; return whether it was written. Atomic."""
        try:
            await self._container.upload_blob(
                name,
                data,
                overwrite=False,
                metadata=metadata,
                content_settings=ContentSettings(content_type=content_type),
            )
        except ResourceExistsError:
            return False
        return True

    async def exists(self, name: str) -> bool:
        """Return whether there is a blob ``name``."""
        return await self._container.get_blob_client(name).exists()

    async def read(self, name: str) -> bytes | None:
        """Return the bytes of the blob ``name``, or None when there is none."""
        try:
            return await (await self._container.download_blob(name)).readall()
        except ResourceNotFoundError:
            return None

    async def find(self, prefix: str) -> dict[str, dict[str, str]]:
        """Return the metadata of each blob whose name begins with ``prefix``, by name."""
        found = self._container.list_blobs(name_starts_with=prefix, include=["metadata"])
        return {blob.name: dict(blob.metadata or {}) async for blob in found}

    async def count_up(self, name: str, most: int) -> bool:
        """Add one to the counter ``name`` unless it stands at ``most``; return whether it was added.

        The counter is the length of an append blob, so whoever counts, in whichever process, counts the same. Each who
        counts appends a mark of its own. A request whose answer was lost is made again, by whatever lies below: its mark
        is there twice then, and counts once. The service allows 50,000 appends to one blob.
        """
        blob = self._container.get_blob_client(name)
        mark, room = uuid4().bytes, most
        while True:
            try:
                await blob.append_block(mark, length=_MARK, maxsize_condition=room * _MARK)
            except ResourceNotFoundError:
                with suppress(ResourceExistsError):
                    await blob.create_append_blob(match_condition=MatchConditions.IfMissing)
            except HttpResponseError as error:
                if error.status_code != _CONDITION_NOT_MET:
                    raise
                marks = await self._marks(name)
                if mark in marks or len(set(marks)) >= most:
                    return mark in marks
                room = most + len(marks) - len(set(marks))
            else:
                return True

    async def _marks(self, name: str) -> list[bytes]:
        data = await self.read(name) or b""
        return [data[at : at + _MARK] for at in range(0, len(data), _MARK)]

    async def check(self) -> None:
        """Ask the container whether it is there; raise if it does not answer."""
        await self._container.get_container_properties(timeout=2)

    def read_url(self, name: str, lifetime: timedelta) -> str:
        """Return a URL that lets its bearer read the blob ``name``, and do nothing else, until ``lifetime`` is over."""
        return self._signed_url(name, BlobSasPermissions(read=True), lifetime)

    def create_url(self, name: str, lifetime: timedelta) -> str:
        """Return a URL that lets its bearer write the blob ``name`` while there is none, and do nothing else."""
        return self._signed_url(name, BlobSasPermissions(create=True), lifetime)

    def write_url(self, name: str, lifetime: timedelta) -> str:
        """Return a URL that lets its bearer write the blob ``name``, over one that is there, and do nothing else."""
        return self._signed_url(name, BlobSasPermissions(create=True, write=True), lifetime)

    def _signed_url(self, name: str, permission: BlobSasPermissions, lifetime: timedelta) -> str:
        """Needs a service that was opened with an account key.

        The signature names the object (``sr=b``). It has no start time: a signer whose clock runs ahead would otherwise
        mint URLs that the service still refuses.
        """
        signature = generate_blob_sas(
            account_name=str(self._service.account_name),
            container_name=self._container.container_name,
            blob_name=name,
            account_key=self._service.credential.account_key,
            permission=permission,
            expiry=datetime.now(UTC) + lifetime,
        )
        return f"{self._container.get_blob_client(name).url}?{signature}"
