"""Requests that the door and Azurite could read differently, and ways around a role or a SAS that is too small."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.storage.blob import BlobServiceClient, ContainerClient, generate_blob_sas

from peeklock.servicebus.gateway.certificates import authority

READER, CONTRIBUTOR = "Storage Blob Data Reader", "Storage Blob Data Contributor"
Send = Callable[..., tuple[int, str]]


@pytest.fixture
def secret(owner: BlobServiceClient) -> Iterator[ContainerClient]:
    """A container in which the worker has no role."""
    made = owner.create_container(f"s{uuid.uuid4().hex}")
    made.upload_blob("a.txt", b"secret")
    yield made
    assert made.get_blob_client("a.txt").download_blob().readall() == b"secret"


@pytest.fixture
def send(door: Any) -> Iterator[Send]:
    """Send a request as it is, by the worker's token unless told otherwise; return the status and the code."""
    context = ssl.create_default_context(cafile=str(authority()))
    connection = http.client.HTTPSConnection("127.0.0.1", door.door.port, context=context, timeout=10)

    def raw(method: str, path: str, body: bytes = b"", *more: tuple[str, str], token: bool = True) -> tuple[int, str]:
        connection.putrequest(method, f"/{door.account.name}{path}", skip_accept_encoding=True)
        given = [("x-ms-version", "2021-12-02"), ("Content-Length", str(len(body)))]
        if token:
            bearer = door.issuer.token("worker", "https://storage.azure.com").token
            given.append(("Authorization", f"Bearer {bearer}"))
        for name, value in (*given, *more):
            connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        answer.read()
        return answer.status, answer.headers.get("x-ms-error-code", "")

    yield raw
    connection.close()


def test_a_path_leads_to_no_other_container(
    door: Any, photos: ContainerClient, secret: ContainerClient, send: Send
) -> None:
    """Dots are part of a blob's name; an encoded or doubled slash, a fragment and capitals do not move a container's end."""
    door.grant("worker", CONTRIBUTOR, photos.container_name)
    door.grant("worker", CONTRIBUTOR, "$root")
    here, there = photos.container_name, secret.container_name
    ways = [f"/{here}/..%2f{there}/a.txt", f"/{here}/../{there}/a.txt", f"/{here}/%2e%2e/{there}/a.txt"]
    ways += [f"/{there}%2Fa.txt", f"/{there}%5Ca.txt", f"//{there}/a.txt", f"/./{there}/a.txt", f"/%2F{there}/a.txt"]
    ways += [f"/{there.upper()}/a.txt", f"/{here}/x#/../../{there}/a.txt", f"/{here}\\..\\{there}/a.txt"]
    ways += [f"/{there}%00/a.txt", f"/%zz{there}/a.txt", f"/{there}/%ff", f"/{here}%2f..%2f{there}/a.txt"]
    for way in ways:
        for method in ("GET", "DELETE"):
            assert send(method, way)[0] in (400, 403, 404), way


PRETENDED = {
    "account information": ("PUT", "?restype=account", ("x-ms-blob-type", "BlockBlob")),
    "a service's properties": ("PUT", "?restype=service&comp=properties", ("x-ms-blob-type", "BlockBlob")),
    "another method": ("GET", "", ("X-HTTP-Method", "DELETE")),
    "the same, to who reads": ("HEAD", "", ("x-http-method", "DELETE")),
    "account information of a deletion": ("DELETE", "?restype=account&comp=properties", ("a", "b")),
}


@pytest.mark.parametrize("name", PRETENDED)
def test_a_reader_writes_nothing_by_pretending_to_ask(
    door: Any, photos: ContainerClient, send: Send, name: str
) -> None:
    method, query, header = PRETENDED[name]
    door.grant("worker", READER)
    send(method, f"/{photos.container_name}/a.txt{query}", b"new" if method == "PUT" else b"", header)
    assert photos.get_blob_client("a.txt").download_blob().readall() == b"0123456789"


@pytest.mark.parametrize(
    "query", ["COMP=list", "comp[]=list", "comp%5B%5D=acl", "&".join(f"a{n}=" for n in range(200))]
)
def test_a_query_that_could_be_read_differently_is_400(
    door: Any, photos: ContainerClient, send: Send, query: str
) -> None:
    door.grant("worker", READER)
    assert send("GET", f"/{photos.container_name}?restype=container&{query}") == (400, "InvalidQueryParameterValue")


def test_a_header_that_stands_there_twice_is_400(
    door: Any, photos: ContainerClient, secret: ContainerClient, send: Send
) -> None:
    """Azurite could look at the other one."""
    door.grant("worker", CONTRIBUTOR, photos.container_name)
    sources = [("x-ms-copy-source", f"{door.url}/{each.container_name}/a.txt") for each in (photos, secret)]
    answer = send("PUT", f"/{photos.container_name}/copy", b"", *sources)
    assert answer == (400, "InvalidHeaderValue")


class Sas:
    """Signs for the one blob of `photos`, with a key that the worker got, or with the account's."""

    def __init__(self, door: Any, photos: ContainerClient) -> None:
        self._door, self._container = door, photos.container_name
        now = datetime.now(UTC)
        door.grant("worker", "Storage Blob Data Owner")
        with door.as_user("worker") as service:
            key = service.get_user_delegation_key(now, now + timedelta(hours=1))
        self.signed_by = {
            "delegation": {"user_delegation_key": key},
            "account": {"account_key": door.account.key},
        }

    def __call__(self, by: str, letters: str, container: str = "") -> str:
        return generate_blob_sas(
            self._door.account.name, container or self._container, "a.txt", permission=letters,
            expiry=datetime.now(UTC) + timedelta(hours=1), **self.signed_by[by],
        )  # fmt: skip


@pytest.fixture
def sas(door: Any, photos: ContainerClient) -> Sas:
    return Sas(door, photos)


@pytest.mark.parametrize("by", ["delegation", "account"])
def test_a_sas_for_tags_neither_writes_nor_reads(photos: ContainerClient, sas: Sas, send: Send, by: str) -> None:
    """Azurite takes a request that has a blob's type for Put Blob, whatever its `comp` is; and one whose `comp` it does not know
    for Get Blob."""
    path, token = f"/{photos.container_name}/a.txt", sas(by, "t")
    kind = ("x-ms-blob-type", "BlockBlob")
    assert send("PUT", f"{path}?comp=tags&{token}", b"new", kind, token=False)[0] == 403
    assert send("GET", f"{path}?comp=TAGS&{token}", token=False)[0] in (400, 403)
    assert photos.get_blob_client("a.txt").download_blob().readall() == b"0123456789"


@pytest.mark.parametrize("synchronous", [False, True])
@pytest.mark.parametrize("by", ["delegation", "account"])
def test_a_copy_reads_nothing_by_a_sas_that_is_not_good(
    door: Any, photos: ContainerClient, secret: ContainerClient, sas: Sas, send: Send, by: str, synchronous: bool
) -> None:
    """Azurite itself would not look at it: made up, without `r`, for another blob, or one's own for the target only."""
    door.revoke("worker")
    door.grant("worker", CONTRIBUTOR, photos.container_name)
    target, source = f"/{photos.container_name}/copy", f"{door.url}/{secret.container_name}/a.txt"
    more = [("x-ms-requires-sync", "true")] if synchronous else []
    no_read = sas(by, "t", secret.container_name)
    spoilt = sas(by, "r", secret.container_name).replace("sig=", "sig=AAAA")
    for query in ("?sig=x", f"?{spoilt}", f"?{no_read}", f"?{no_read}&comp=tags", f"?{sas(by, 'r')}", ""):
        assert send("PUT", target, b"", ("x-ms-copy-source", source + query), *more)[0] in (403, 404), query
    here, header = f"/{photos.container_name}/a.txt?{sas(by, 'w')}", ("x-ms-copy-source", source)
    assert send("PUT", here, b"", header, *more, token=False) == (403, "CannotVerifyCopySource")


def test_a_sas_that_only_creates_overwrites_nothing(photos: ContainerClient, sas: Sas, send: Send) -> None:
    kind = ("x-ms-blob-type", "BlockBlob")
    for query in ("", "comp=block&blockid=QQ==&", "comp=blocklist&"):
        path = f"/{photos.container_name}/a.txt?{query}{sas('delegation', 'c')}"
        assert send("PUT", path, b"<x/>", kind, token=False)[0] in (400, 403, 409)
    assert photos.get_blob_client("a.txt").download_blob().readall() == b"0123456789"


def test_no_field_of_a_sas_reaches_into_the_next(door: Any, photos: ContainerClient, send: Send) -> None:
    """Neither what a delegation key is made of, whose version could hold a later end, nor the lines that are signed."""
    door.grant("worker", CONTRIBUTOR)
    now = datetime.now(UTC)
    ends = (now + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    asked = f"<KeyInfo><Start>{now:%Y-%m-%dT%H:%M:%SZ}</Start><Expiry>{ends}</Expiry></KeyInfo>".encode()
    context = ssl.create_default_context(cafile=str(authority()))
    connection = http.client.HTTPSConnection("127.0.0.1", door.door.port, context=context, timeout=10)
    bearer = door.issuer.token("worker", "https://storage.azure.com").token
    for version in ("2021-12-02|2020-01-01|2099-01-01|b|2021-12-02", '2021-12-02", "2099-01-01'):
        headers = {"Authorization": f"Bearer {bearer}", "x-ms-version": version}
        connection.request("POST", f"/{door.account.name}/?restype=service&comp=userdelegationkey", asked, headers)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 400
    connection.close()
    query = "sv=2021-12-02&sp=r%0Ax&se=2099-01-01&sr=b&sig=x"
    assert send("GET", f"/{photos.container_name}/a.txt?{query}", token=False)[0] == 400
    assert send("GET", f"/{photos.container_name}/a%0Ab?{query.replace('%0Ax', '')}", token=False)[0] == 403


def batch(*parts: str) -> tuple[bytes, tuple[str, str]]:
    """Return the body of a batch, and the header that tells its boundary."""
    head = "--b\r\nContent-Type: application/http\r\nContent-ID: 0\r\n\r\n"
    body = "".join(f"{head}{part}\r\n" for part in parts) + "--b--\r\n"
    return body.encode("latin-1"), ("Content-Type", "multipart/mixed; boundary=b")


def test_a_part_of_a_batch_hides_nothing(
    door: Any, photos: ContainerClient, secret: ContainerClient, send: Send
) -> None:
    """Neither a line in a header's value, nor a part in a part, nor a path of another container."""
    door.grant("worker", CONTRIBUTOR, photos.container_name)
    bearer = door.issuer.token("worker", "https://storage.azure.com").token
    name, here, there = door.account.name, photos.container_name, secret.container_name
    good = f"DELETE /{name}/{here}/x HTTP/1.1\r\nAuthorization: Bearer {bearer}\r\n"
    bad = good.replace(here, there)
    for part in (f"{good}a: b\n\nDELETE /{name}/{there}/a.txt HTTP/1.1\r\n", f"{good}a: b\x0bc\r\n"):
        assert send("POST", "/?comp=batch", *batch(part + "\r\n")) == (400, "InvalidInput")
    for part in (bad, bad.replace(f"/{there}/", f"/{here}/../{there}/"), f"{good}\r\n--b\r\n\r\n{bad}"):
        assert send("POST", "/?comp=batch", *batch(part + "\r\n"))[0] in (202, 400)


def test_a_key_for_delegation_is_for_the_account(door: Any, photos: ContainerClient, send: Send) -> None:
    door.grant("worker", "Storage Blob Data Owner", photos.container_name)
    key = b"<KeyInfo><Start>2020-01-01T00:00:00Z</Start><Expiry>2020-01-01T00:00:00Z</Expiry></KeyInfo>"
    for path in ("/", f"/{photos.container_name}", f"/{photos.container_name}/a.txt"):
        assert send("POST", f"{path}?restype=service&comp=userdelegationkey", key)[0] in (400, 403)


def test_no_container_is_opened_to_everybody(door: Any, send: Send, owner: BlobServiceClient) -> None:
    """As for an account that has public access switched off, which is Azure's default."""
    door.grant("worker", CONTRIBUTOR)
    opened = ("x-ms-blob-public-access", "blob")
    assert send("PUT", "/opened?restype=container", b"", opened) == (409, "PublicAccessNotPermitted")
    assert not owner.get_container_client("opened").exists()


def test_nobody_is_let_in_by_another_scheme(photos: ContainerClient, send: Send) -> None:
    for scheme in ("SharedKeyLite x:y", "Basic eDp5", "SharedKey", "Bearer", "Bearer  "):
        given = ("Authorization", scheme)
        assert send("GET", f"/{photos.container_name}/a.txt", b"", given, token=False)[0] in (400, 401, 403)


SMUGGLED = {
    "a length and chunks": "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
    "two lengths": "Content-Length: 0\r\nContent-Length: 3\r\n",
    "a length that is a list": "Content-Length: 0, 3\r\n",
    "a length with a sign": "Content-Length: +3\r\n",
    "an encoding that is unknown": "Transfer-Encoding: xchunked\r\n",
    "an encoding twice": "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    "a blank before the colon": "Content-Length : 3\r\n",
    "a folded line": "x-ms-meta-a: b\r\n Content-Length: 3\r\n",
    "a bare line feed": "x-ms-meta-a: b\nContent-Length: 3\r\n",
    "a bare carriage return": "x-ms-meta-a: b\rContent-Length: 3\r\n",
    "a zero": "x-ms-meta-a: b\x00\r\n",
    "a line without a name": ": b\r\n",
    "a line without a colon": "b\r\n",
}


@pytest.mark.parametrize("name", SMUGGLED)
def test_no_second_request_hides_in_a_first(door: Any, photos: ContainerClient, name: str) -> None:
    """Heads that servers read differently are refused, and nothing behind them is read."""
    bearer = door.issuer.token("owner", "https://storage.azure.com").token
    target = f"/{door.account.name}/{photos.container_name}/a.txt HTTP/1.1\r\nHost: 127.0.0.1"
    allowed = f"Authorization: Bearer {bearer}\r\nx-ms-version: 2021-12-02\r\n"
    hidden = f"DELETE {target}\r\n{allowed}\r\n"
    answers = exchanged(door, f"GET {target}\r\n{allowed}{SMUGGLED[name]}\r\n{hidden}")
    assert answers.startswith(b"HTTP/1.1 400 ")
    assert answers.count(b"HTTP/1.1") == 1
    assert photos.get_blob_client("a.txt").exists()


@pytest.mark.parametrize(
    "line", ["GET /a HTTP/1.0", "GET  /a HTTP/1.1", "GET /a b HTTP/1.1", "G(T /a HTTP/1.1", "GET /ä HTTP/1.1"]
)
def test_a_request_line_that_is_none_is_400(door: Any, line: str) -> None:
    assert exchanged(door, f"{line}\r\nHost: 127.0.0.1\r\n\r\n").startswith(b"HTTP/1.1 400 ")


def test_a_body_in_chunks_is_read_and_refused(door: Any) -> None:
    """As Azure does; what follows it is the next request."""
    chunked = "Host: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nt: u\r\n\r\n"
    answers = exchanged(door, f"PUT /a/b/c HTTP/1.1\r\n{chunked}GET /a HTTP/1.1\r\nConnection: close\r\n\r\n")
    assert [answers.count(each) for each in (b"HTTP/1.1 411 ", b"HTTP/1.1 404 ")] == [1, 1]


@pytest.mark.parametrize("chunk", ["-3\r\nabc\r\n", "3\nabc\r\n", "3\r\nabcd\r\n", "0x3\r\nabc\r\n", "\r\n"])
def test_chunks_that_are_none_end_the_connection(door: Any, chunk: str) -> None:
    head = "PUT /a/b/c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert exchanged(door, f"{head}{chunk}0\r\n\r\nGET /a HTTP/1.1\r\n\r\n") == b""


def exchanged(door: Any, sent: str) -> bytes:
    """Return everything that the door answers to these bytes until it closes the connection."""
    context = ssl.create_default_context(cafile=str(authority()))
    plain, received = socket.create_connection(("127.0.0.1", door.door.port), timeout=10), b""
    with context.wrap_socket(plain, server_hostname="127.0.0.1") as connection:
        connection.sendall(sent.encode("latin-1"))
        with contextlib.suppress(ConnectionResetError, ssl.SSLEOFError):
            while data := connection.recv(65_536):
                received += data
    return received
