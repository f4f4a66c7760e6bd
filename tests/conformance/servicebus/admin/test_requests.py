"""The administration API without the SDK: requests as other clients write them, and such that make no sense."""

from __future__ import annotations

import time
from datetime import timedelta

import httpx
import pytest
from azure.servicebus.management import ServiceBusAdministrationClient

from peeklock.servicebus import AccessRule, Emulator, Queue
from peeklock.servicebus.auth import make_token

ENTRY = (
    b'<entry xmlns="http://www.w3.org/2005/Atom"><content type="application/xml"><QueueDescription '
    b'xmlns="http://schemas.microsoft.com/netservices/2010/10/servicebus/connect">%s</QueueDescription></content></entry>'
)


def test_elements_out_of_their_order_are_not_seen(http: httpx.Client, admin: ServiceBusAdministrationClient) -> None:
    """S-84: as a data contract is read; on the way out the order is the same."""
    wrong = ENTRY % b"<MaxDeliveryCount>3</MaxDeliveryCount><LockDuration>PT5S</LockDuration>"
    assert http.put("/q?api-version=2024-05", content=wrong).status_code == 201
    found = admin.get_queue("q")
    assert (found.max_delivery_count, found.lock_duration) == (3, timedelta(minutes=1))
    text = http.get("/q?api-version=2024-05").text
    names = ("<LockDuration", "<MaxSizeInMegabytes", "<Status", "<CountDetails", "<AutoDeleteOnIdle", "<MaxMessageSize")
    places = [text.index(name) for name in names]
    assert places == sorted(places)


def test_filter_counts_are_told_from_2024_05_on(http: httpx.Client, admin: ServiceBusAdministrationClient) -> None:
    """S-86."""
    admin.create_topic("t")
    assert "SqlFilterCount" in http.get("/t?api-version=2024-05").text
    assert "SqlFilterCount" not in http.get("/t?api-version=2021-05").text


BOMB = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>' + ENTRY % b"<UserMetadata>&b;</UserMetadata>"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/q", b""),
        ("PUT", "/q", b"<entry"),
        ("PUT", "/q", b"\xff\xfe\x00"),
        ("PUT", "/q", BOMB),
        ("PUT", "/q", BOMB.decode().encode("utf-16")),
        ("PUT", "/q", b"<a>" * 100_000 + b"</a>" * 100_000),
        ("PUT", "/q", ENTRY % b"<LockDuration>soon</LockDuration>"),
        ("PUT", "/q", ENTRY % b"<LockDuration>PT</LockDuration>"),
        ("PUT", "/q", ENTRY % b"<MaxDeliveryCount>-1</MaxDeliveryCount>"),
        ("PUT", "/q", ENTRY % (b"<MaxDeliveryCount>" + b"9" * 5_000 + b"</MaxDeliveryCount>")),
        ("PUT", "/q", ENTRY % b"<RequiresSession>maybe</RequiresSession>"),
        ("PUT", "/q", ENTRY % b"<AuthorizationRules><AuthorizationRule/></AuthorizationRules>"),
        ("PUT", "/$Resources/queues", ENTRY % b""),
        ("PUT", "/", ENTRY % b""),
        ("DELETE", "/", b""),
        ("GET", "/$Resources/queues?$skip=x", b""),
        ("GET", "/$Resources/queues?$top=-1", b""),
        ("DELETE", "/t/subscriptions", b""),
        ("PUT", "/t/subscriptions/s/rules/r", b"<entry/>"),
        ("GET", "/t/subscriptions/s/elsewhere", b""),
        ("PUT", "/%00%ff/%2f", ENTRY % b""),
    ],
)
def test_requests_that_make_no_sense(
    http: httpx.Client, admin: ServiceBusAdministrationClient, method: str, path: str, body: bytes
) -> None:
    """S-83: an error with Code and Detail, never a crash."""
    found = http.request(method, path, content=body)
    assert found.status_code in (400, 404)
    assert found.text.startswith(f"<Error><Code>{found.status_code}</Code><Detail>")
    assert list(admin.list_queues()) == []


def test_who_forwards_may_send_there(shared: Emulator, ca: str, http: httpx.Client) -> None:
    """S-68: a token for the target comes along, in a header of its own; without, the request's own has to be good for it."""
    shared.call(lambda server: server.namespace.add_queue("target", Queue()))
    guard = AccessRule("guard", "guard-key", ("Manage", "Send", "Listen"), "source")
    sender = AccessRule("sender", "send-key", ("Send",))
    shared.call(lambda server: server.context.tokens.set_rules("source", [guard]))

    def token(rule: AccessRule, path: str) -> str:
        return make_token(f"sb://localhost:{shared.port}/{path}", rule.name, rule.key, int(time.time()) + 60)

    def put(element: str, **headers: str) -> httpx.Response:
        body = ENTRY % f"<{element}>target</{element}>".encode()
        own = {"Authorization": token(guard, "source"), "content-type": "application/atom+xml"}
        return http.put("/source?api-version=2021-05", headers=own | headers, content=body)

    for element, header in (
        ("ForwardTo", "ServiceBusSupplementaryAuthorization"),
        ("ForwardDeadLetteredMessagesTo", "ServiceBusDlqSupplementaryAuthorization"),
    ):
        other = {"ServiceBusSupplementaryAuthorization", "ServiceBusDlqSupplementaryAuthorization"} - {header}
        assert put(element).status_code == 401
        assert put(element, **{header: token(AccessRule(key="wrong"), "target")}).status_code == 401
        assert put(element, **{header: token(sender, "elsewhere")}).status_code == 401
        assert put(element, **{other.pop(): token(sender, "target")}).status_code == 401
        assert put(element, **{header: token(sender, "target")}).status_code == 201
        shared.call(lambda server: server.administration.remove("source"))
        shared.call(lambda server: server.context.tokens.set_rules("source", [guard]))
        assert put(element, Authorization=token(AccessRule(), "")).status_code == 201
        shared.call(lambda server: server.administration.remove("source"))
        shared.call(lambda server: server.context.tokens.set_rules("source", [guard]))
    shared.call(lambda server: server.administration.remove("target"))
    shared.call(lambda server: server.context.tokens.set_rules("source", []))
