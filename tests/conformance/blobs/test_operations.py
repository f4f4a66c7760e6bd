"""azure-storage-blob does through the door what it does with Azurite, by token and by key."""

from __future__ import annotations

import asyncio
import io
import os
import ssl
import uuid
from typing import Any

import aiohttp
import pytest
from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceModifiedError, ResourceNotFoundError
from azure.core.pipeline.transport import AioHttpTransport
from azure.storage.blob import BlobBlock, BlobServiceClient, ContainerClient, ContentSettings
from azure.storage.blob.aio import BlobServiceClient as AsyncBlobServiceClient

from peeklock.servicebus.gateway.certificates import authority

ODD = ["a b", "ü/ö", "a+b", "a&b=c", "100%", "why?", "a#b", "a//b", "a%2Fb", "x/y/z.txt"]


@pytest.mark.parametrize("name", ODD)
def test_odd_names_come_back(container: ContainerClient, name: str) -> None:
    """What is put under a name is got, listed and deleted under it."""
    container.upload_blob(name, name.encode())
    assert container.download_blob(name).readall() == name.encode()
    assert [found.name for found in container.list_blobs()] == [name]
    container.delete_blob(name)
    assert not container.get_blob_client(name).exists()


def test_pages_prefixes_and_folders_are_listed(container: ContainerClient) -> None:
    for name in ("a/1", "a/2", "b/1", "c"):
        container.upload_blob(name, b"")
    pages = [[blob.name for blob in page] for page in container.list_blobs(results_per_page=3).by_page()]
    assert pages == [["a/1", "a/2", "b/1"], ["c"]]
    assert [blob.name for blob in container.list_blobs(name_starts_with="a/")] == ["a/1", "a/2"]
    assert [found.name for found in container.walk_blobs(delimiter="/")] == ["a/", "b/", "c"]


def test_large_bodies_pass_in_parallel_blocks(container: ContainerClient) -> None:
    body = os.urandom(6 << 20)
    container.upload_blob("large", body, max_concurrency=4)
    assert container.download_blob("large", max_concurrency=4).readall() == body
    assert container.download_blob("large", offset=1000, length=500).readall() == body[1000:1500]


def test_blocks_are_staged_and_committed(container: ContainerClient) -> None:
    blob = container.get_blob_client("blocks")
    for number in ("1", "2"):
        blob.stage_block(number, number.encode())
    assert [len(found) for found in blob.get_block_list("all")] == [0, 2]
    blob.commit_block_list([BlobBlock("2"), BlobBlock("1")])
    assert blob.download_blob().readall() == b"21"


def test_metadata_headers_and_conditions_hold(container: ContainerClient) -> None:
    settings = ContentSettings("text/plain", content_disposition="inline")
    blob = container.upload_blob("m", b"x", metadata={"key": "v  w"}, content_settings=settings)
    found = blob.get_blob_properties()
    assert (found.metadata, found.content_settings.content_type) == ({"key": "v  w"}, "text/plain")
    blob.set_blob_metadata({"other": "1"})
    with pytest.raises(ResourceModifiedError):
        blob.upload_blob(b"y", overwrite=True, etag=found.etag, match_condition=MatchConditions.IfNotModified)
    with pytest.raises(ResourceExistsError):
        blob.upload_blob(b"y")


def test_a_lease_keeps_others_out(container: ContainerClient) -> None:
    blob = container.upload_blob("leased", b"x")
    lease = blob.acquire_lease(15)
    with pytest.raises(HttpResponseError) as caught:
        blob.upload_blob(b"y", overwrite=True)
    assert caught.value.status_code == 412
    blob.upload_blob(b"y", overwrite=True, lease=lease)
    lease.release()


@pytest.mark.parametrize("waits", [True, False])
def test_a_blob_is_copied(container: ContainerClient, waits: bool) -> None:
    source = container.upload_blob("from ü", b"copied")
    target = container.get_blob_client("to")
    target.start_copy_from_url(source.url, requires_sync=waits)
    assert target.download_blob().readall() == b"copied"


def test_snapshots_stay_as_they_were(container: ContainerClient) -> None:
    blob = container.upload_blob("s", b"old")
    taken = blob.create_snapshot()["snapshot"]
    blob.upload_blob(b"new", overwrite=True)
    assert container.get_blob_client("s", snapshot=taken).download_blob().readall() == b"old"
    blob.delete_blob(delete_snapshots="include")


def test_append_and_page_blobs_grow(container: ContainerClient) -> None:
    log = container.get_blob_client("log")
    log.create_append_blob()
    log.append_block(b"one")
    log.append_block(b"two")
    assert log.download_blob().readall() == b"onetwo"
    page = container.get_blob_client("page")
    page.create_page_blob(1024)
    page.upload_page(b"p" * 512, 0, 512)
    assert page.download_blob(0, 512).readall() == b"p" * 512


def test_tags_are_set(container: ContainerClient) -> None:
    blob = container.upload_blob("t", b"", tags={"a": "1"})
    blob.set_blob_tags({"b": "2"})
    assert blob.get_blob_tags() == {"b": "2"}


def test_a_batch_deletes(container: ContainerClient) -> None:
    for name in ("a b", "ü", "c"):
        container.upload_blob(name, b"")
    answers = list(container.delete_blobs("a b", "ü", "missing", raise_on_any_failure=False))
    assert [answer.status_code for answer in answers] == [202, 202, 404]
    assert [blob.name for blob in container.list_blobs()] == ["c"]


def test_what_is_not_there_is_404(container: ContainerClient) -> None:
    """HEAD has no body, with its code in a header."""
    with pytest.raises(ResourceNotFoundError) as caught:
        container.get_blob_client("missing").get_blob_properties()
    assert caught.value.error_code == "BlobNotFound"
    with pytest.raises(ResourceNotFoundError):
        container.download_blob("missing")


def test_containers_are_listed(service: BlobServiceClient, container: ContainerClient) -> None:
    assert container.container_name in [found.name for found in service.list_containers()]
    container.set_container_metadata({"a": "b"})
    assert container.get_container_properties().metadata == {"a": "b"}
    assert service.get_account_information()["sku_name"]


class _AsyncCredential:
    def __init__(self, credential: Any) -> None:
        self._credential = credential

    async def get_token(self, *scopes: str, **_: Any) -> Any:
        return self._credential.get_token(*scopes)

    async def close(self) -> None:
        """Nothing is held."""


@pytest.mark.parametrize("kind", ["token", "key"])
def test_the_async_client_puts_gets_lists_and_deletes(door: Any, kind: str) -> None:
    """Streams of any length, many at once, over kept connections."""
    key = {"account_name": door.account.name, "account_key": door.account.key}
    credential: Any = _AsyncCredential(door.issuer.credential("owner")) if kind == "token" else key

    told: Any = {"connection_verify": str(authority()), "retry_total": 0}
    told |= dict.fromkeys(("max_single_put_size", "max_block_size"), 1 << 19)  # aiohttp warns of larger pieces

    async def main() -> None:
        async with AsyncBlobServiceClient(door.url, credential, **told) as service:
            container = await service.create_container(f"aio{kind}")
            bodies = {f"{n} ü": os.urandom(n << 20) for n in range(4)}
            await asyncio.gather(*(container.upload_blob(name, io.BytesIO(body)) for name, body in bodies.items()))
            for name, body in bodies.items():
                assert await (await container.download_blob(name)).readall() == body
            assert sorted([blob.name async for blob in container.list_blobs()]) == sorted(bodies)
            await container.delete_container()

    asyncio.run(main())


def test_the_copy_in_another_region_is_read(door: Any, photos: ContainerClient) -> None:
    """By the secondary name."""
    credential = door.issuer.credential("owner")
    with BlobServiceClient(f"{door.url}-secondary", credential, connection_verify=str(authority())) as service:
        assert service.get_blob_client(photos.container_name, "a.txt").download_blob().readall() == b"0123456789"


def test_a_blob_that_is_not_there_costs_no_connection(door: Any) -> None:
    """The answer to HEAD says how it ends, so the client keeps its connection, as it does with Azure."""
    made: list[None] = []
    tracing = aiohttp.TraceConfig()

    async def count(*_: Any) -> None:
        made.append(None)

    tracing.on_connection_create_end.append(count)

    async def main() -> None:
        connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=authority()))
        async with aiohttp.ClientSession(connector=connector, trace_configs=[tracing]) as session:
            transport = AioHttpTransport(session=session, session_owner=False)
            key = {"account_name": door.account.name, "account_key": door.account.key}
            async with AsyncBlobServiceClient(door.url, key, transport=transport) as service:
                container = await service.create_container(f"h{uuid.uuid4().hex}")
                for name in ("a", "b", "c"):
                    assert not await container.get_blob_client(name).exists()

    asyncio.run(main())
    assert len(made) == 1
