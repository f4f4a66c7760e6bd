"""User delegation keys, and SAS that the real SDK signs with them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.storage.blob import BlobClient, ContainerClient, generate_blob_sas, generate_container_sas

from peeklock.servicebus.gateway.certificates import authority

CONTRIBUTOR = "Storage Blob Data Contributor"
HOUR = timedelta(hours=1)


@pytest.fixture
def key(door: Any) -> Iterator[Any]:
    """Of a worker that may read and write."""
    door.grant("worker", CONTRIBUTOR)
    now = datetime.now(UTC)
    with door.as_user("worker") as service:
        yield service.get_user_delegation_key(now - HOUR, now + HOUR)


class Signer:
    """Signs for a container of the door with a key."""

    def __init__(self, door: Any, container: ContainerClient, key: Any) -> None:
        self.door, self.name, self.key = door, container.container_name, key

    def blob(self, name: str = "a.txt", to: str = "", **more: Any) -> BlobClient:
        told = {"permission": "r", "expiry": datetime.now(UTC) + HOUR, **more}
        sas = generate_blob_sas(self.door.account.name, self.name, name, user_delegation_key=self.key, **told)
        return self.open(to or name, sas)

    def container(self, name: str, **more: Any) -> BlobClient:
        told = {"permission": "rl", "expiry": datetime.now(UTC) + HOUR, **more}
        sas = generate_container_sas(self.door.account.name, self.name, user_delegation_key=self.key, **told)
        return self.open(name, sas)

    def open(self, name: str, sas: str) -> BlobClient:
        return BlobClient(
            self.door.url, self.name, name, credential=sas, connection_verify=str(authority()), retry_total=0
        )


@pytest.fixture
def signed(door: Any, photos: ContainerClient, key: Any) -> Signer:
    return Signer(door, photos, key)


def test_a_blob_is_read_and_written_by_sas(signed: Signer) -> None:
    assert signed.blob().download_blob().readall() == b"0123456789"
    signed.blob("ü b", permission="cw").upload_blob(b"new")
    assert signed.blob("ü b").download_blob().readall() == b"new"


def test_a_container_is_read_by_sas(signed: Signer, door: Any) -> None:
    assert signed.container("a.txt").download_blob().readall() == b"0123456789"
    sas = generate_container_sas(
        door.account.name, signed.name, user_delegation_key=signed.key, permission="l", expiry=datetime.now(UTC) + HOUR
    )
    with ContainerClient(door.url, signed.name, sas, connection_verify=str(authority())) as container:
        assert [blob.name for blob in container.list_blobs()] == ["a.txt"]


def test_a_sas_sets_headers_and_holds_addresses(signed: Signer) -> None:
    """What is optional is signed too: address, protocol, start, correlation."""
    blob = signed.blob(
        content_type="text/x-mine", ip="127.0.0.1", protocol="https", start=datetime.now(UTC) - HOUR,
        correlation_id="7b1f9c0e-52f5-4a38-9d0e-3b0f6a5c1f01",
    )  # fmt: skip
    assert blob.get_blob_properties().content_settings.content_type == "text/x-mine"


def test_a_snapshot_is_read_by_sas(signed: Signer, photos: ContainerClient) -> None:
    taken = photos.get_blob_client("a.txt").create_snapshot()["snapshot"]
    sas = generate_blob_sas(
        signed.door.account.name, signed.name, "a.txt", snapshot=taken, user_delegation_key=signed.key,
        permission="r", expiry=datetime.now(UTC) + HOUR,
    )  # fmt: skip
    url = f"{signed.door.url}/{signed.name}/a.txt?snapshot={taken}&{sas}"
    with BlobClient.from_blob_url(url, connection_verify=str(authority())) as blob:
        assert blob.download_blob().readall() == b"0123456789"


REFUSED = {
    "another blob": ({"to": "b.txt"}, "AuthenticationFailed"),
    "expired": ({"expiry": datetime.now(UTC) - timedelta(minutes=1)}, "AuthenticationFailed"),
    "not yet": ({"start": datetime.now(UTC) + HOUR}, "AuthenticationFailed"),
    "no letter": ({"permission": "w"}, "AuthorizationPermissionMismatch"),
    "another address": ({"ip": "10.0.0.1-10.0.0.9"}, "AuthorizationSourceIPMismatch"),
}


@pytest.mark.parametrize("why", REFUSED)
def test_a_sas_that_does_not_hold_is_refused(signed: Signer, why: str) -> None:
    more, code = REFUSED[why]
    with pytest.raises((HttpResponseError, ClientAuthenticationError)) as caught:
        signed.blob(**more).download_blob()  # type: ignore[arg-type]
    assert (caught.value.status_code, caught.value.error_code) == (403, code)


def test_a_sas_that_was_tampered_with_is_refused(signed: Signer) -> None:
    """More letters than were signed, or a key that the door did not make."""
    sas = generate_blob_sas(
        signed.door.account.name, signed.name, "a.txt", user_delegation_key=signed.key, permission="r",
        expiry=datetime.now(UTC) + HOUR,
    )  # fmt: skip
    for spoilt in (sas.replace("sp=r", "sp=rw"), sas.replace("skoid=", "skoid=1")):
        with pytest.raises(ClientAuthenticationError):
            signed.open("a.txt", spoilt).download_blob()


def test_letters_that_only_create_overwrite_nothing(signed: Signer) -> None:
    signed.blob("new", permission="c").upload_blob(b"1")
    with pytest.raises(HttpResponseError):
        signed.blob("new", permission="c").upload_blob(b"2", overwrite=True)
    assert signed.blob("new").download_blob().readall() == b"1"


def test_a_sas_is_worth_no_more_than_its_principal(signed: Signer, door: Any) -> None:
    """A role that is taken away takes the SAS with it."""
    assert signed.blob().exists()
    door.revoke("worker")
    with pytest.raises(HttpResponseError) as caught:
        signed.blob().download_blob()
    assert caught.value.error_code == "AuthorizationPermissionMismatch"


def test_a_copy_reads_by_the_source_s_sas(signed: Signer, owner: Any, door: Any) -> None:
    target = owner.get_blob_client(signed.name, "copied")
    target.start_copy_from_url(signed.blob().url)
    assert target.download_blob().readall() == b"0123456789"
    with pytest.raises(HttpResponseError):
        target.start_copy_from_url(signed.blob(permission="w").url)


@pytest.mark.parametrize("role", ["", "Storage Blob Delegator"])
def test_a_key_is_for_who_may_delegate(door: Any, role: str) -> None:
    now = datetime.now(UTC)
    if role:
        door.grant("worker", role)
    with door.as_user("worker") as service:
        if role:
            assert service.get_user_delegation_key(now, now + HOUR).signed_oid
            return
        with pytest.raises(HttpResponseError) as caught:
            service.get_user_delegation_key(now, now + HOUR)
    assert (caught.value.status_code, caught.value.error_code) == (403, "AuthorizationPermissionMismatch")


def test_a_key_lives_seven_days_at_most(door: Any) -> None:
    now = datetime.now(UTC)
    with door.as_user("owner") as service, pytest.raises(HttpResponseError) as caught:
        service.get_user_delegation_key(now, now + timedelta(days=8))
    assert caught.value.status_code == 400
