"""SAS that are signed with the account's key: through the door for the production name, and past it, the same must come out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import (
    AccessPolicy,
    BlobClient,
    ContainerClient,
    ContainerSasPermissions,
    generate_account_sas,
    generate_blob_sas,
    generate_container_sas,
)

from peeklock.servicebus.gateway.certificates import authority

HOUR = timedelta(hours=1)


class Way:
    """One of the two ways to the account: its URL, its name, and its key."""

    def __init__(self, url: str, name: str, key: str, container: str) -> None:
        self.url, self.name, self.key, self.container = url, name, key, container

    def sas(self, make: Callable[..., str], *names: str, **more: Any) -> str:
        told = {"account_key": self.key, "expiry": datetime.now(UTC) + HOUR, **more}
        return make(self.name, *names, **told)

    def blob(self, sas: str, name: str = "a.txt") -> BlobClient:
        return BlobClient(
            self.url, self.container, name, credential=sas, connection_verify=str(authority()), retry_total=0
        )

    def all(self, sas: str) -> ContainerClient:
        return ContainerClient(self.url, self.container, sas, connection_verify=str(authority()), retry_total=0)


@pytest.fixture(params=["door", "azurite"])
def way(request: pytest.FixtureRequest, door: Any, azurite: Any, photos: ContainerClient) -> Way:
    port, accounts = azurite
    inner = accounts[1]["name"]
    if request.param == "door":
        return Way(door.url, door.account.name, door.account.key, photos.container_name)
    return Way(f"http://127.0.0.1:{port}/{inner}", inner, door.account.key, photos.container_name)


def refused(work: Callable[[], Any]) -> str:
    with pytest.raises(HttpResponseError) as caught:
        work()
    assert caught.value.status_code == 403
    return getattr(caught.value.error_code, "value", str(caught.value.error_code))


def test_a_blob_s_sas_is_for_that_blob_and_its_letters(way: Way) -> None:
    read = way.sas(generate_blob_sas, way.container, "a.txt", permission="r", content_type="text/x-mine")
    assert way.blob(read).download_blob().readall() == b"0123456789"
    assert way.blob(read).get_blob_properties().content_settings.content_type == "text/x-mine"
    assert refused(way.blob(read).delete_blob) == "AuthorizationPermissionMismatch"
    refused(way.blob(read, "b.txt").download_blob)
    made = way.sas(generate_blob_sas, way.container, "ü b/c", permission="cw")
    way.blob(made, "ü b/c").upload_blob(b"new")


def test_a_snapshot_s_sas_is_for_that_snapshot(way: Way, photos: ContainerClient) -> None:
    taken = photos.get_blob_client("a.txt").create_snapshot()["snapshot"]
    sas = way.sas(generate_blob_sas, way.container, "a.txt", snapshot=taken, permission="r")
    url = f"{way.url}/{way.container}/a.txt?snapshot={taken}&{sas}"
    with BlobClient.from_blob_url(url, connection_verify=str(authority())) as blob:
        assert blob.download_blob().readall() == b"0123456789"


def test_a_container_s_sas_lists_and_reads(way: Way) -> None:
    sas = way.sas(generate_container_sas, way.container, permission="rl")
    assert [blob.name for blob in way.all(sas).list_blobs()] == ["a.txt"]
    assert refused(lambda: way.all(sas).upload_blob("b", b"")) == "AuthorizationPermissionMismatch"


def test_a_stored_access_policy_decides(way: Way, photos: ContainerClient) -> None:
    """And taken away it takes the SAS with it."""
    policy = AccessPolicy(permission=ContainerSasPermissions(read=True), expiry=datetime.now(UTC) + HOUR)
    photos.set_container_access_policy({"readers": policy})
    sas = way.sas(generate_blob_sas, way.container, "a.txt", policy_id="readers", expiry=None)
    assert way.blob(sas).download_blob().readall() == b"0123456789"
    photos.set_container_access_policy({})
    refused(way.blob(sas).download_blob)


def test_an_account_s_sas_is_for_its_services_and_kinds(way: Way) -> None:
    sas = way.sas(generate_account_sas, resource_types="sco", permission="rwdlc")
    assert way.blob(sas).exists()
    way.all(sas).upload_blob("b", b"")
    assert [blob.name for blob in way.all(sas).list_blobs()] == ["a.txt", "b"]
    only = way.sas(generate_account_sas, resource_types="c", permission="rl")
    assert refused(way.blob(only).download_blob) == "AuthorizationResourceTypeMismatch"


def test_a_batch_is_signed_by_sas(way: Way) -> None:
    sas = way.sas(generate_container_sas, way.container, permission="d")
    assert [each.status_code for each in way.all(sas).delete_blobs("a.txt")] == [202]


@pytest.mark.parametrize("synchronous", [False, True])
def test_a_copy_reads_by_the_source_s_sas(way: Way, photos: ContainerClient, synchronous: bool) -> None:
    read = way.sas(generate_blob_sas, way.container, "a.txt", permission="r")
    write = way.sas(generate_blob_sas, way.container, "copy", permission="cw")
    way.blob(write, "copy").start_copy_from_url(way.blob(read).url, requires_sync=synchronous)
    assert photos.download_blob("copy").readall() == b"0123456789"


def test_times_addresses_and_signatures_are_held(door: Any, photos: ContainerClient) -> None:
    way = Way(door.url, door.account.name, door.account.key, photos.container_name)
    names = (generate_blob_sas, way.container, "a.txt")
    late = way.sas(*names, permission="r", expiry=datetime.now(UTC) - HOUR)
    far = way.sas(*names, permission="r", ip="10.0.0.1")
    other = Way(way.url, way.name, "AAAA" * 11, way.container).sas(*names, permission="r")
    inner = Way(way.url, door.account.behind, way.key, way.container).sas(*names, permission="r")
    secure = way.sas(*names, permission="r", protocol="https", ip="127.0.0.1")
    assert way.blob(secure).exists()
    assert refused(way.blob(far).download_blob) == "AuthorizationSourceIPMismatch"
    for sas in (late, other, inner, secure.replace("sp=r", "sp=rw")):
        assert refused(way.blob(sas).download_blob) == "AuthenticationFailed"


def test_a_copied_blob_tells_its_source_as_its_reader_calls_it(door: Any, photos: ContainerClient) -> None:
    """Never as the door calls Azurite, and without the signature."""
    way = Way(door.url, door.account.name, door.account.key, photos.container_name)
    read = way.sas(generate_blob_sas, way.container, "a.txt", permission="r")
    copy = photos.get_blob_client("copy")
    copy.start_copy_from_url(way.blob(read).url)
    assert copy.get_blob_properties().copy.source == f"{door.url}/{way.container}/a.txt"
