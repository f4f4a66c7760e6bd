"""An Azurite, the door before it, and clients that come in with the account's key or with a token."""

from __future__ import annotations

import asyncio
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob import BlobServiceClient, ContainerClient

from peeklock.servicebus.gateway.certificates import authority
from peeklock.servicebus.issuer import Issuer
from peeklock.servicebus.managed_identity import object_id
from peeklock.stack.blob_door.access import Access, Account
from peeklock.stack.blob_door.roles import BlobRole
from peeklock.stack.blob_door.server import BlobDoor
from peeklock.stack.blob_door.tokens import BearerTokens
from peeklock.stack.embedded.blobs import start_azurite
from peeklock.stack.servers.blobs import new_accounts
from peeklock.supervision.client import SupervisorClient

OWNER = "Storage Blob Data Owner"
OUTER = "defectiq4852854"


class Door:
    """The door of one account, on a loop of its own. Its clock, and the roles that it knows, may be changed."""

    def __init__(self, azurite: int, account: Account) -> None:
        self.moved = 0.0
        self.roles: dict[str, list[BlobRole]] = {}
        self.account = account
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.issuer = Issuer(now=self.now)
        self._run(self.issuer.start())
        tokens = BearerTokens(self.issuer.name, self.issuer.jwks(), self.now, account.name)
        access = Access(account, lambda: azurite, self.now, tokens, lambda principal: self.roles.get(principal, []))
        self.door = BlobDoor(access, self.issuer.tenant)
        self._run(self.door.start())

    def grant(self, name: str, role: str, container: str = "") -> None:
        self.roles.setdefault(object_id(name), []).append(BlobRole(role, container))

    def revoke(self, name: str) -> None:
        del self.roles[object_id(name)]

    def now(self) -> float:
        return time.time() + self.moved

    def _run(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def close(self) -> None:
        self._run(self.door.stop())
        self._run(self.issuer.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def url(self) -> str:
        return self.door.url

    def client(self, credential: Any, **more: Any) -> BlobServiceClient:
        return BlobServiceClient(
            self.url, credential, connection_verify=str(authority()), retry_total=0, max_single_put_size=1 << 20, **more
        )

    def as_user(self, name: str, **more: Any) -> BlobServiceClient:
        return self.client(self.issuer.credential(name), **more)


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, list[dict[str, str]]]]:
    supervisor = SupervisorClient.start()
    try:
        port, accounts = supervisor.reserve_ports(1)[0], new_accounts(2)
        server = start_azurite(
            supervisor, Path(tmp_path_factory.mktemp("azurite")), port=port, fixed=False, accounts=accounts
        )
        yield server.port, accounts
    finally:
        supervisor.close()


@pytest.fixture
def door(azurite: tuple[int, list[dict[str, str]]]) -> Iterator[Door]:
    """Its account is called otherwise by clients than by Azurite, as in production."""
    port, accounts = azurite
    made = Door(port, Account(OUTER, accounts[1]["key"], accounts[1]["name"]))
    made.grant("owner", OWNER)
    yield made
    made.close()


@pytest.fixture
def owner(door: Door) -> Iterator[BlobServiceClient]:
    with door.as_user("owner") as client:
        yield client


@pytest.fixture(params=["token", "key", "azurite"])
def service(request: pytest.FixtureRequest, door: Door, azurite: Any) -> Iterator[BlobServiceClient]:
    """By token and by key through the door, and Azurite itself without it: the same must come out."""
    port, accounts = azurite
    if request.param == "token":
        client = door.as_user("owner")
    elif request.param == "key":
        client = door.client({"account_name": OUTER, "account_key": door.account.key})
    else:
        url = f"http://127.0.0.1:{port}/{accounts[1]['name']}"
        key = {"account_name": accounts[1]["name"], "account_key": accounts[1]["key"]}
        client = BlobServiceClient(url, key, max_single_put_size=1 << 20)
    with client:
        yield client


@pytest.fixture
def container(service: BlobServiceClient) -> Iterator[ContainerClient]:
    made = service.create_container(f"c{uuid.uuid4().hex}")
    yield made
    made.delete_container()


@pytest.fixture
def photos(owner: BlobServiceClient) -> ContainerClient:
    """A container with one blob, made by the owner."""
    made = owner.create_container(f"p{uuid.uuid4().hex}")
    made.upload_blob("a.txt", b"0123456789")
    return made
