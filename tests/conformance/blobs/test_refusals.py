"""Who may not come in, and what Azure's words for it are."""

from __future__ import annotations

import http.client
import ssl
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.storage.blob import ContainerClient

from peeklock.errors import PeeklockError
from peeklock.servicebus.gateway.certificates import authority
from peeklock.servicebus.issuer import Issuer, Token
from peeklock.stack.blob_door.roles import BlobRole

READER, CONTRIBUTOR = "Storage Blob Data Reader", "Storage Blob Data Contributor"
OWNER, DELEGATOR = "Storage Blob Data Owner", "Storage Blob Delegator"

OPERATIONS: dict[str, tuple[Callable[[Any, ContainerClient], Any], tuple[str, ...]]] = {
    "list containers": (lambda s, c: list(s.list_containers()), (READER, CONTRIBUTOR, OWNER)),
    "create a container": (lambda s, c: s.create_container(f"n{uuid.uuid4().hex}"), (CONTRIBUTOR, OWNER)),
    "delete a container": (lambda s, c: c.delete_container(), (CONTRIBUTOR, OWNER)),
    "list": (lambda s, c: list(c.list_blobs()), (READER, CONTRIBUTOR, OWNER)),
    "get": (lambda s, c: c.download_blob("a.txt").readall(), (READER, CONTRIBUTOR, OWNER)),
    "head": (lambda s, c: c.get_blob_client("a.txt").get_blob_properties(), (READER, CONTRIBUTOR, OWNER)),
    "put": (lambda s, c: c.upload_blob("b", b"x"), (CONTRIBUTOR, OWNER)),
    "put with tags": (lambda s, c: c.upload_blob("b", b"x", tags={"a": "b"}), (OWNER,)),
    "large put": (lambda s, c: c.upload_blob("b", b"x" * (3 << 20)), (CONTRIBUTOR, OWNER)),
    "delete": (lambda s, c: c.delete_blob("a.txt"), (CONTRIBUTOR, OWNER)),
    "batch": (lambda s, c: c.delete_blobs("a.txt"), (CONTRIBUTOR, OWNER)),
    "lease": (lambda s, c: c.get_blob_client("a.txt").acquire_lease(15), (CONTRIBUTOR, OWNER)),
    "metadata": (lambda s, c: c.get_blob_client("a.txt").set_blob_metadata({"a": "b"}), (CONTRIBUTOR, OWNER)),
    "get tags": (lambda s, c: c.get_blob_client("a.txt").get_blob_tags(), (OWNER,)),
    "get access policy": (lambda s, c: c.get_container_access_policy(), (OWNER,)),
}


@pytest.mark.parametrize("role", [READER, CONTRIBUTOR, OWNER, DELEGATOR, ""])
@pytest.mark.parametrize("name", OPERATIONS)
def test_a_role_allows_what_it_allows_in_azure(door: Any, photos: ContainerClient, name: str, role: str) -> None:
    """Everything else is AuthorizationPermissionMismatch."""
    if role:
        door.grant("worker", role)
    operation, roles = OPERATIONS[name]
    with door.as_user("worker") as service:
        container = service.get_container_client(photos.container_name)
        if role in roles:
            operation(service, container)
            return
        with pytest.raises(HttpResponseError) as caught:
            operation(service, container)
    if name != "batch":  # the exception of a batch is made of the answers to its parts
        assert (caught.value.status_code, caught.value.error_code) == (403, "AuthorizationPermissionMismatch")


def test_a_role_on_one_container_is_none_on_another(door: Any, owner: Any, photos: ContainerClient) -> None:
    other = owner.create_container(f"o{uuid.uuid4().hex}")
    door.grant("worker", CONTRIBUTOR, photos.container_name)
    with door.as_user("worker") as service:
        service.get_container_client(photos.container_name).upload_blob("b", b"x")
        for refused in (lambda: service.get_container_client(other.container_name).upload_blob("b", b"x"),
                        lambda: list(service.list_containers())):  # fmt: skip
            with pytest.raises(HttpResponseError, match="AuthorizationPermissionMismatch"):
                refused()


def test_a_role_that_is_taken_away_is_gone(door: Any, photos: ContainerClient) -> None:
    with door.as_user("worker") as service:
        blob = service.get_blob_client(photos.container_name, "a.txt")
        door.grant("worker", READER)
        assert blob.exists()
        door.revoke("worker")
        with pytest.raises(HttpResponseError, match="AuthorizationPermissionMismatch"):
            blob.download_blob()


def test_a_copy_needs_to_read_its_source(door: Any, owner: Any, photos: ContainerClient) -> None:
    target = owner.create_container(f"t{uuid.uuid4().hex}")
    door.grant("worker", CONTRIBUTOR, target.container_name)
    with door.as_user("worker") as service:
        blob = service.get_blob_client(target.container_name, "copy")
        with pytest.raises(HttpResponseError) as caught:
            blob.start_copy_from_url(photos.get_blob_client("a.txt").url)
    assert (caught.value.status_code, caught.value.error_code) == (403, "CannotVerifyCopySource")


def test_a_batch_tells_of_each_part(door: Any, photos: ContainerClient) -> None:
    door.grant("worker", READER)
    with door.as_user("worker") as service:
        container = service.get_container_client(photos.container_name)
        answers = list(container.delete_blobs("a.txt", "b", raise_on_any_failure=False))
    assert [answer.status_code for answer in answers] == [403, 403]
    assert photos.get_blob_client("a.txt").exists()


class _Given:
    def __init__(self, token: Token) -> None:
        self._token = token

    def get_token(self, *_: str, **__: Any) -> Token:
        return self._token


TOKENS: dict[str, Callable[[Issuer], Token]] = {
    "Lifetime": lambda issuer: issuer.token("owner", "https://storage.azure.com", lifetime=-1),
    "Audience": lambda issuer: issuer.token("owner", "https://servicebus.azure.net"),
    "Signature": lambda issuer: Issuer(now=issuer.now).token("owner", "https://storage.azure.com"),
    "Issuer": lambda issuer: issuer.token("owner", "https://storage.azure.com", iss="https://elsewhere"),
}


@pytest.mark.parametrize("wrong", TOKENS)
def test_a_token_that_is_not_good_is_401(door: Any, photos: ContainerClient, wrong: str) -> None:
    """With Azure's code, and which of its checks has failed."""
    credential = _Given(TOKENS[wrong](door.issuer))
    with door.client(credential) as service, pytest.raises(ClientAuthenticationError) as caught:
        service.get_blob_client(photos.container_name, "a.txt").download_blob()
    assert caught.value.status_code == 401
    assert caught.value.error_code == "InvalidAuthenticationInfo"
    assert f"{wrong} validation failed" in str(caught.value)


def test_a_token_may_be_for_the_one_account(door: Any, photos: ContainerClient) -> None:
    """As the SDK asks for one when it is told an `audience`; not for another account."""
    for account in (door.account.name, "another"):
        token = door.issuer.token("owner", f"https://{account}.blob.core.windows.net")
        with door.client(_Given(token)) as service:
            blob = service.get_blob_client(photos.container_name, "a.txt")
            if account != "another":
                assert blob.exists()
                continue
            with pytest.raises(ClientAuthenticationError, match="Audience validation failed"):
                blob.download_blob()


def test_a_token_ends_by_the_moved_clock(door: Any, photos: ContainerClient) -> None:
    with door.client(_Given(door.issuer.token("owner", "https://storage.azure.com"))) as service:
        blob = service.get_blob_client(photos.container_name, "a.txt")
        assert blob.exists()
        door.moved = 3601.0
        with pytest.raises(ClientAuthenticationError, match="expired"):
            blob.download_blob()


def test_another_key_is_refused(door: Any, photos: ContainerClient) -> None:
    wrong = {"account_name": door.account.name, "account_key": "AAAA" * 8}
    with door.client(wrong) as service, pytest.raises(HttpResponseError) as caught:
        service.get_blob_client(photos.container_name, "a.txt").download_blob()
    assert (caught.value.status_code, caught.value.error_code) == (403, "AuthenticationFailed")


def test_nobody_is_refused_and_the_connection_goes_on(door: Any) -> None:
    """The challenge says where tokens are; refused bodies are read, HEAD has no body."""
    context = ssl.create_default_context(cafile=str(authority()))
    connection = http.client.HTTPSConnection("127.0.0.1", door.door.port, context=context, timeout=10)
    sockets = set()
    for method, body in (("PUT", b"x" * (1 << 20)), ("HEAD", None), ("GET", None)):
        connection.request(method, f"/{door.account.name}/c/b", body)
        answer = connection.getresponse()
        text = answer.read()
        sockets.add(connection.sock)
        assert (answer.status, answer.headers["x-ms-error-code"]) == (401, "NoAuthenticationInformation")
        assert "resource_id=https://storage.azure.com" in answer.headers["WWW-Authenticate"]
        assert (text == b"") is (method == "HEAD")
    connection.close()
    assert len(sockets) == 1


@pytest.mark.parametrize(("good", "status"), [(True, b"100"), (False, b"401")])
def test_a_client_that_asks_first_is_told(door: Any, photos: ContainerClient, good: bool, status: bytes) -> None:
    """`Expect: 100-continue` is answered before the body comes, whether it is wanted or not."""
    token = door.issuer.token("owner", "https://storage.azure.com").token if good else "x"
    context = ssl.create_default_context(cafile=str(authority()))
    connection = http.client.HTTPSConnection("127.0.0.1", door.door.port, context=context, timeout=10)
    connection.putrequest("PUT", f"/{door.account.name}/{photos.container_name}/asked")
    for name, value in {"Authorization": f"Bearer {token}", "x-ms-version": "2021-12-02", "Content-Length": "2",
                        "x-ms-blob-type": "BlockBlob", "Expect": "100-continue"}.items():  # fmt: skip
        connection.putheader(name, value)
    connection.endheaders()
    assert connection.sock.recv(4096).split()[1] == status
    if good:
        connection.sock.sendall(b"ok")
        assert connection.sock.recv(4096).split()[1] == b"201"
    connection.close()


@pytest.mark.parametrize(
    ("query", "source", "code"),
    [("?comp=tags&comp=list", "", "InvalidQueryParameterValue"), ("", "http://[", "InvalidHeaderValue")],
)
def test_what_cannot_be_read_is_400(door: Any, query: str, source: str, code: str) -> None:
    """A parameter that stands there twice, a copy source that is no URL."""
    token = door.issuer.token("owner", "https://storage.azure.com").token
    context = ssl.create_default_context(cafile=str(authority()))
    connection = http.client.HTTPSConnection("127.0.0.1", door.door.port, context=context, timeout=10)
    headers = {"Authorization": f"Bearer {token}", "x-ms-version": "2021-12-02"}
    headers |= {"x-ms-copy-source": source} if source else {}
    connection.request("PUT", f"/{door.account.name}/c/b{query}", headers=headers)
    answer = connection.getresponse()
    assert (answer.status, answer.headers["x-ms-error-code"]) == (400, code)
    connection.close()


def test_a_role_that_is_none_is_told() -> None:
    with pytest.raises(PeeklockError, match="no role on blobs"):
        BlobRole("Blob Reader")
