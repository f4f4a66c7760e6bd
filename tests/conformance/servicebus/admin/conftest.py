"""The administration API with the SDK's own ServiceBusAdministrationClient, over https on the emulator's port
(S-81 to S-87)."""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx
import pytest
from azure.servicebus.management import ServiceBusAdministrationClient

from peeklock.servicebus import AccessRule, Emulator, Topology
from peeklock.servicebus.auth import make_token
from peeklock.servicebus.gateway import certificates

RULES = (AccessRule(), AccessRule("sender", "send-key", ("Send",)))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PEEKLOCK_CACHE", str(tmp_path_factory.mktemp("cache")))
        with Emulator(Topology(access_rules=RULES)) as emulator:
            yield emulator


@pytest.fixture(scope="module")
def ca(shared: Emulator) -> str:
    return str(certificates.authority())


@pytest.fixture(scope="module")
def client(shared: Emulator, ca: str) -> Iterator[ServiceBusAdministrationClient]:
    """Unpatched: only told which CA to trust."""
    string = shared.connection_string()
    with ServiceBusAdministrationClient.from_connection_string(string, connection_verify=ca, retry_total=0) as client:
        yield client


@pytest.fixture
def admin(client: ServiceBusAdministrationClient) -> Iterator[ServiceBusAdministrationClient]:
    yield client
    for queue in list(client.list_queues()):
        client.delete_queue(queue.name)
    for topic in list(client.list_topics()):
        client.delete_topic(topic.name)


@pytest.fixture
def http(shared: Emulator) -> Iterator[httpx.Client]:
    """The same without SDK and TLS."""
    token = make_token("http://localhost/", "RootManageSharedAccessKey", "SAS_KEY_VALUE", int(time.time()) + 600)
    base = f"http://127.0.0.1:{shared.port}"
    with httpx.Client(base_url=base, headers={"authorization": token}, trust_env=False) as client:
        yield client
