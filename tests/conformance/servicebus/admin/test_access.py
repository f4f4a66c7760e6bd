"""Who may manage, and what the rules of an entity open."""

from __future__ import annotations

import time

import httpx
import pytest
from azure.core.exceptions import HttpResponseError
from azure.servicebus.management import AccessRights, AuthorizationRule, ServiceBusAdministrationClient

from peeklock.servicebus import Client, Emulator, OutgoingMessage, ServiceBusError
from peeklock.servicebus.auth import make_token


def test_authorization_rules_open_their_queue(shared: Emulator, admin: ServiceBusAdministrationClient) -> None:
    """S-84, S-26: a rule made with the queue signs tokens for it, by both keys, and goes with it."""
    rule = AuthorizationRule(
        type="SharedAccessAuthorizationRule",
        claim_type="SharedAccessKey",
        claim_value="None",
        key_name="own",
        rights=[AccessRights.SEND, AccessRights.LISTEN],
        primary_key="first-key",
        secondary_key="second-key",
    )
    admin.create_queue("q", authorization_rules=[rule])
    (found,) = admin.get_queue("q").authorization_rules or []
    assert (found.key_name, found.primary_key, found.rights) == ("own", "first-key", ["Send", "Listen"])
    root = shared.connection_string()
    for key in ("first-key", "second-key"):
        own = root.replace("RootManageSharedAccessKey", "own").replace("SAS_KEY_VALUE", key)
        with Client(own) as client:
            client.send("q", [OutgoingMessage(body=b"x")])
    admin.delete_queue("q")
    admin.create_queue("q")
    with Client(own) as client, pytest.raises(ServiceBusError):
        client.send("q", [OutgoingMessage(body=b"x")])


@pytest.mark.parametrize(
    ("rule", "key", "detail"),
    [
        ("RootManageSharedAccessKey", "wrong", "Invalid authorization token signature"),
        ("nobody", "SAS_KEY_VALUE", "Invalid authorization token signature"),
        ("sender", "send-key", "'Manage' claim"),
    ],
)
def test_who_may_not_manage(shared: Emulator, ca: str, rule: str, key: str, detail: str) -> None:
    """S-23, S-26, S-86: 401 before anything is said about what exists."""
    root = shared.connection_string()
    string = root.replace("RootManageSharedAccessKey", rule).replace("SAS_KEY_VALUE", key)
    with ServiceBusAdministrationClient.from_connection_string(string, connection_verify=ca, retry_total=0) as client:
        for call in (client.get_queue, client.create_queue, client.delete_queue):
            with pytest.raises(HttpResponseError) as refused:
                call("nobody")
            assert refused.value.status_code == 401
            assert detail in str(refused.value)


def test_a_token_for_the_address_alone(
    shared: Emulator, http: httpx.Client, admin: ServiceBusAdministrationClient
) -> None:
    """S-25: @azure/service-bus signs each request's own address, query and all; S-83: it takes the names of entities out
    of their ids as they stand there."""
    admin.create_topic("t")
    admin.create_subscription("t", "s")
    for path in ("$Resources/topics", "t/subscriptions", "t/subscriptions/s/rules"):
        address = f"http://localhost/{path}?api-version=2021-05&$skip=0&$top=5"
        token = make_token(address.lower(), "RootManageSharedAccessKey", "SAS_KEY_VALUE", int(time.time()) + 600)
        answer = http.get(f"/{path}?api-version=2021-05&$skip=0&$top=5", headers={"authorization": token})
        assert answer.status_code == 200, answer.text
        assert http.get("/t?api-version=2021-05", headers={"authorization": token}).status_code == 401
    assert "/s/rules/$default?" in answer.text.lower()
