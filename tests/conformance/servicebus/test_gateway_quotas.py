"""What is too much, over the wire: conditions, status codes, and memory (S-16, S-38, S-86, S-87)."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from azure.core.exceptions import HttpResponseError
from azure.servicebus.management import AccessRights, AuthorizationRule, ServiceBusAdministrationClient

from peeklock.servicebus import Client, Emulator, OutgoingMessage, Queue, ServiceBusError, Topology
from peeklock.servicebus.auth import make_token
from peeklock.servicebus.gateway import Limits, certificates


@pytest.fixture(scope="module")
def bus(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PEEKLOCK_CACHE", str(tmp_path_factory.mktemp("cache")))
        with Emulator(Topology(queues={"q": Queue()}), limits=Limits(entities=2)) as bus:
            yield bus


def test_long_properties_are_rejected(bus):
    """S-38: each with its condition, and nothing of it is taken."""
    with Client(bus.connection_string()) as client:
        for options, condition in (
            ({"message_id": "x" * 129}, "com.microsoft:argument-error"),
            ({"session_id": "x" * 129}, "com.microsoft:argument-error"),
            ({"application_properties": {"a": "x" * 40_000}}, "amqp:internal-error"),
        ):
            with pytest.raises(ServiceBusError) as refused:
                client.send("q", [OutgoingMessage(b"x", **options)])
            assert refused.value.condition == condition
    assert bus.entities()[0]["active"] == 0


def test_rest_answers_with_a_status(bus):
    """S-38, S-78: 400 for a long id."""
    token = make_token("http://localhost/", "RootManageSharedAccessKey", "SAS_KEY_VALUE", int(time.time()) + 600)
    headers = {"authorization": token, "BrokerProperties": '{"MessageId": "' + "x" * 129 + '"}'}
    answer = httpx.post(f"http://127.0.0.1:{bus.port}/q/messages", headers=headers, content=b"x", trust_env=False)
    assert answer.status_code == 400
    assert "at most 128 characters" in answer.text


def test_the_administration_api_has_its_quotas(bus):
    """S-87: 12 authorization rules; as many entities as the limits say: 403."""
    ca = str(certificates.authority())
    string = bus.connection_string()
    with ServiceBusAdministrationClient.from_connection_string(string, connection_verify=ca, retry_total=0) as admin:
        rules = [
            AuthorizationRule(
                type="SharedAccessAuthorizationRule", rights=[AccessRights.SEND], key_name=f"k{n}", primary_key="p"
            )
            for n in range(13)
        ]
        with pytest.raises(HttpResponseError, match="12 at most"):
            admin.create_queue("r", authorization_rules=rules)
        assert len(admin.create_queue("r", authorization_rules=rules[:12]).authorization_rules) == 12
        with pytest.raises(HttpResponseError) as refused:
            admin.create_topic("t")
        assert refused.value.status_code == 403


SERVE = """
from peeklock.servicebus import Emulator, Queue, Topology

queue = Queue(max_message_size_in_kilobytes=102_400)
with Emulator(Topology(queues={"q": queue}, sku="Premium")) as bus:
    print(bus.connection_string(), flush=True)
    input()
"""


def test_a_hundred_megabytes_go_through_with_bounded_memory():
    """S-16, S-18, S-86: the largest message of the Premium tier, there and back; the emulator holds a few copies of it at most."""
    with (
        subprocess.Popen(
            [sys.executable, "-c", SERVE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as emulator,
        Client(emulator.stdout.readline()) as client,
    ):
        body = bytes((100 << 20) - 1_000)
        client.send("q", [OutgoingMessage(body)])
        (message,) = client.receive("q", wait=30)
        assert len(message.body) == len(body)
        client.complete(message)
        with pytest.raises(ServiceBusError) as refused:
            client.send("q", [OutgoingMessage(body + bytes(1_000))])
        assert refused.value.condition == "amqp:link:message-size-exceeded"
        status = Path(f"/proc/{emulator.pid}/status").read_text()
        peak = int(status.partition("VmHWM:")[2].split()[0]) >> 10
        emulator.communicate("\n")
    assert peak < 650, f"{peak} MB"
