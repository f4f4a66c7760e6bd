"""The administration API with the SDK's own ServiceBusAdministrationClient, over https on the emulator's port
(S-81 to S-87)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.servicebus.aio.management import ServiceBusAdministrationClient as AsyncAdmin
from azure.servicebus.management import (
    AccessRights,
    AuthorizationRule,
    CorrelationRuleFilter,
    FalseRuleFilter,
    ServiceBusAdministrationClient,
    SqlRuleAction,
    SqlRuleFilter,
    TrueRuleFilter,
)

from harness.servicebus import AccessRule, Client, Emulator, OutgoingMessage, Queue, ServiceBusError, Topology
from harness.servicebus.gateway import certificates
from harness.servicebus.gateway.sas import make_token

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


def test_the_namespace_tells_of_itself(admin: ServiceBusAdministrationClient) -> None:
    """S-82."""
    found = admin.get_namespace_properties()
    assert (found.name, found.messaging_sku, found.namespace_type) == ("sbemulatorns", "Standard", "Messaging")
    assert isinstance(found.created_at_utc, datetime)


def test_a_queue_has_azures_defaults(admin: ServiceBusAdministrationClient) -> None:
    """S-84, S-85."""
    made = admin.create_queue("q")
    found = admin.get_queue("q")
    assert made.name == found.name == "q"
    assert (found.lock_duration, found.max_delivery_count) == (timedelta(minutes=1), 10)
    assert found.duplicate_detection_history_time_window == timedelta(minutes=10)
    assert found.default_message_time_to_live == found.auto_delete_on_idle
    assert found.default_message_time_to_live is not None
    assert found.default_message_time_to_live.days == 10675199
    assert (found.status, found.availability_status, found.max_size_in_megabytes) == ("Active", "Available", 1024)
    assert [found.requires_session, found.requires_duplicate_detection, found.enable_partitioning] == [False] * 3
    assert found.enable_batched_operations is True
    assert found.forward_to is None
    assert not found.authorization_rules


def test_what_is_set_is_what_is_read_and_what_is_done(shared: Emulator, admin: ServiceBusAdministrationClient) -> None:
    """S-84: every property of a queue, and the broker behaves so."""
    admin.create_queue("target")
    settings: dict[str, Any] = {
        "lock_duration": timedelta(seconds=13),
        "max_delivery_count": 1,
        "default_message_time_to_live": timedelta(days=2, hours=3, minutes=4, seconds=5.5),
        "dead_lettering_on_message_expiration": True,
        "duplicate_detection_history_time_window": timedelta(minutes=12),
        "requires_duplicate_detection": True,
        "max_size_in_megabytes": 2048,
        "auto_delete_on_idle": timedelta(minutes=10),
        "enable_batched_operations": False,
        "user_metadata": "<what & why>",
        "forward_dead_lettered_messages_to": "target",
    }
    admin.create_queue("q", **settings)
    found = admin.get_queue("q")
    for name, value in settings.items():
        if name != "forward_dead_lettered_messages_to":
            assert getattr(found, name) == value, name
    assert found.forward_dead_lettered_messages_to is not None
    assert found.forward_dead_lettered_messages_to.endswith("/target")
    with Client(shared.connection_string()) as client:
        for _ in range(2):
            client.send("q", [OutgoingMessage(body=b"x", message_id="once")])
        (message,) = client.receive("q", 2, 1)
        client.abandon(message)
        (message,) = client.receive("target", 1, 5)
        assert message.application_properties["DeadLetterReason"] == "MaxDeliveryCountExceeded"


def test_a_queue_is_changed_while_it_is_used(shared: Emulator, admin: ServiceBusAdministrationClient) -> None:
    """S-83: an update takes effect at once; messages stay."""
    admin.create_queue("q")
    with Client(shared.connection_string()) as client:
        client.send("q", [OutgoingMessage(body=b"1")])
        queue = admin.get_queue("q")
        queue.max_delivery_count = 2
        queue.status = "SendDisabled"
        admin.update_queue(queue)
        assert admin.get_queue("q").status == "SendDisabled"
        with pytest.raises(ServiceBusError, match="disabled"):
            client.send("q", [OutgoingMessage(body=b"2")])
        for _ in range(2):
            (message,) = client.receive("q", 1, 5)
            client.abandon(message)
        assert admin.get_queue_runtime_properties("q").dead_letter_message_count == 1
        queue = admin.get_queue("q")
        queue.status = "Active"
        admin.update_queue(queue)
        client.send("q", [OutgoingMessage(body=b"3")])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("requires_session", True),
        ("requires_duplicate_detection", True),
        ("enable_partitioning", True),
        ("lock_duration", timedelta(minutes=6)),
        ("auto_delete_on_idle", timedelta(minutes=4)),
        ("duplicate_detection_history_time_window", timedelta(days=8)),
        ("max_delivery_count", 0),
        ("forward_to", "nobody"),
        ("status", "Sleeping"),
        ("max_message_size_in_kilobytes", 2048),
    ],
)
def test_what_cannot_be_changed(admin: ServiceBusAdministrationClient, name: str, value: Any) -> None:
    """S-57, S-83, S-87: 400, and the queue is what it was."""
    before = admin.create_queue("q")
    changed = admin.get_queue("q")
    setattr(changed, name, value)
    with pytest.raises(HttpResponseError) as refused:
        admin.update_queue(changed)
    assert refused.value.status_code == 400
    assert dict(admin.get_queue("q").items()) | {"updated_at_utc": 0} == dict(before.items()) | {"updated_at_utc": 0}


def test_what_is_there_and_what_is_not(admin: ServiceBusAdministrationClient) -> None:
    """S-83."""
    admin.create_queue("q")
    with pytest.raises(ResourceExistsError):
        admin.create_queue("Q")
    with pytest.raises(ResourceExistsError):
        admin.create_topic("q")
    with pytest.raises(ResourceNotFoundError):
        admin.get_queue("nobody")
    with pytest.raises(ResourceNotFoundError):
        admin.delete_queue("nobody")
    with pytest.raises(ResourceNotFoundError):
        admin.delete_queue("q/$deadletterqueue")
    queue = admin.get_queue("q")
    queue.name = "nobody"
    with pytest.raises(HttpResponseError):
        admin.update_queue(queue)
    for name in ("-q", "q~", "x" * 261):
        with pytest.raises(HttpResponseError) as refused:
            admin.create_queue(name)
        assert refused.value.status_code == 400


def test_lists_are_sorted_and_come_in_pages(admin: ServiceBusAdministrationClient) -> None:
    """S-86: 100 a page."""
    names = sorted(f"q{number}" for number in range(105))
    for name in reversed(names):
        admin.create_queue(name)
    pages = [[queue.name for queue in page] for page in admin.list_queues().by_page()]
    assert [len(page) for page in pages] == [100, 5]
    assert [name for page in pages for name in page] == names
    assert [queue.name for queue in admin.list_queues(start_index=100)] == names[100:]
    assert [queue.name for queue in admin.list_queues_runtime_properties(start_index=103)] == names[103:]
    for wrong in ({"start_index": -1}, {"max_page_size": -1}):
        with pytest.raises(HttpResponseError) as refused:
            list(admin.list_queues(**wrong))
        assert refused.value.status_code == 400


def test_names_with_everything_in_them(shared: Emulator, admin: ServiceBusAdministrationClient) -> None:
    """S-82: slashes come encoded and raw."""
    admin.create_queue("txt/.-_123")
    assert admin.get_queue("txt/.-_123").name == "txt/.-_123"
    with Client(shared.connection_string()) as client:
        client.send("txt/.-_123", [OutgoingMessage(body=b"x")])
    admin.create_queue("a/messages")
    assert [queue.name for queue in admin.list_queues()] == ["a/messages", "txt/.-_123"]


def test_counts_are_those_of_the_broker(shared: Emulator, admin: ServiceBusAdministrationClient) -> None:
    """S-84: CountDetails."""
    admin.create_queue("q")
    with Client(shared.connection_string()) as client:
        client.send("q", [OutgoingMessage(body=b"x" * 100) for _ in range(3)])
        client.schedule("q", OutgoingMessage(body=b"later"), datetime.fromisoformat("2099-01-01T00:00:00+00:00"))
        (message,) = client.receive("q", 1, 5)
        client.dead_letter(message, "because")
        client.receive("q", 1, 5)
    found = admin.get_queue_runtime_properties("q")
    assert (found.active_message_count, found.dead_letter_message_count, found.scheduled_message_count) == (2, 1, 1)
    assert (found.total_message_count, found.transfer_message_count) == (4, 0)
    assert found.size_in_bytes is not None
    assert found.size_in_bytes > 200
    assert found.accessed_at_utc is not None


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


def test_a_deleted_queue_lets_go_of_its_links(shared: Emulator, admin: ServiceBusAdministrationClient) -> None:
    """A receiver that waits learns that there is nothing to wait for."""
    admin.create_queue("q")
    with Client(shared.connection_string()) as client:
        client.send("q", [OutgoingMessage(body=b"x")])
        assert len(client.receive("q", 1, 5)) == 1
        admin.delete_queue("q")
        with pytest.raises(ServiceBusError):
            client.receive("q", 1, 2)
    with pytest.raises(ResourceNotFoundError):
        admin.get_queue("q")


def test_topics_and_subscriptions(shared: Emulator, admin: ServiceBusAdministrationClient) -> None:
    """S-82, S-84, S-86: made, listed, changed, counted and deleted at run time."""
    admin.create_topic("t", default_message_time_to_live=timedelta(hours=1), requires_duplicate_detection=True)
    admin.create_queue("q")
    admin.create_subscription("t", "b", lock_duration=timedelta(seconds=30), max_delivery_count=2, user_metadata="why")
    admin.create_subscription("t", "a", requires_session=True)
    admin.create_subscription("t", "c", forward_to="q")
    assert [found.name for found in admin.list_subscriptions("t")] == ["a", "b", "c"]
    found = admin.get_subscription("t", "b")
    assert (found.lock_duration, found.max_delivery_count, found.user_metadata) == (timedelta(seconds=30), 2, "why")
    assert admin.get_subscription("t", "a").requires_session is True
    assert str(admin.get_subscription("t", "c").forward_to).endswith("/q")
    assert admin.get_topic("t").requires_duplicate_detection is True
    with Client(shared.connection_string()) as client:
        client.send("t", [OutgoingMessage(body=b"x", session_id="s", message_id=name) for name in ("1", "1", "2")])
        assert len(client.receive("q", 3, 0.5)) == 2
    counts = admin.get_subscription_runtime_properties("t", "b")
    assert (counts.active_message_count, counts.total_message_count) == (2, 2)
    assert admin.get_topic_runtime_properties("t").subscription_count == 3
    assert [found.name for found in admin.list_subscriptions_runtime_properties("t")] == ["a", "b", "c"]
    found.max_delivery_count = 7
    found.status = "ReceiveDisabled"
    admin.update_subscription("t", found)
    assert admin.get_subscription("t", "b").max_delivery_count == 7
    topic = admin.get_topic("t")
    topic.status = "SendDisabled"
    admin.update_topic(topic)
    with Client(shared.connection_string()) as client, pytest.raises(ServiceBusError, match="disabled"):
        client.send("t", [OutgoingMessage(body=b"x")])
    admin.delete_subscription("t", "b")
    for call in (admin.get_subscription, admin.delete_subscription):
        with pytest.raises(ResourceNotFoundError):
            call("t", "b")
    with pytest.raises(ResourceExistsError):
        admin.create_subscription("t", "A")
    with pytest.raises(HttpResponseError):
        admin.create_subscription("t", "x" * 51)
    admin.delete_topic("t")
    with pytest.raises(ResourceNotFoundError):
        admin.get_topic("t")


def test_rules_of_all_kinds(shared: Emulator, admin: ServiceBusAdministrationClient) -> None:
    """S-69 to S-72, S-85: filters, actions, and values with their types, there and back."""
    admin.create_topic("t")
    admin.create_subscription("t", "s")
    values: dict[str, Any] = {
        "text": "a<b>&c",
        "int": 2,
        "long": 1 << 40,
        "double": 2.5,
        "flag": False,
        "when": datetime(2020, 7, 5, 11, 12, 13),  # noqa: DTZ001 -- as the SDK takes it
        "span": timedelta(days=1, hours=2, minutes=3),
    }
    correlation = CorrelationRuleFilter(correlation_id="c", label="l", properties=values)
    admin.create_rule("t", "s", "correlation", filter=correlation)
    found = admin.get_rule("t", "s", "correlation").filter
    assert isinstance(found, CorrelationRuleFilter)
    assert (found.correlation_id, found.label, found.properties) == ("c", "l", values)
    sql = SqlRuleFilter("n > @least", parameters={"@least": 1})
    admin.create_rule("t", "s", "sql", filter=sql, action=SqlRuleAction("SET n = n + 1; REMOVE old"))
    rule = admin.get_rule("t", "s", "sql")
    assert (rule.filter.sql_expression, rule.filter.parameters) == ("n > @least", {"@least": 1})
    assert rule.action.sql_expression == "SET n = n + 1; REMOVE old"
    admin.create_rule("t", "s", "never", filter=FalseRuleFilter())
    assert isinstance(admin.get_rule("t", "s", "never").filter, FalseRuleFilter)
    assert [rule.name for rule in admin.list_rules("t", "s")] == ["$Default", "correlation", "never", "sql"]
    assert isinstance(admin.get_rule("t", "s", "$Default").filter, TrueRuleFilter)
    counts = admin.get_topic_runtime_properties("t")
    assert (counts.sql_filter_count, counts.correlation_filter_count) == (3, 1)
    admin.delete_rule("t", "s", "$Default")
    with Client(shared.connection_string()) as client:
        client.send("t", [OutgoingMessage(body=b"x", application_properties={"n": n, "old": 1}) for n in (1, 2)])
        (message,) = client.receive("t/Subscriptions/s", 2, 0.5)
        assert message.application_properties == {"n": 3, "RuleName": "sql"}
    rule.filter = SqlRuleFilter("n = 7")
    admin.update_rule("t", "s", rule)
    assert admin.get_rule("t", "s", "sql").filter.sql_expression == "n = 7"


def test_rules_that_cannot_be(admin: ServiceBusAdministrationClient) -> None:
    """S-73, S-83, S-87."""
    admin.create_topic("t")
    admin.create_subscription("t", "s")
    for condition in (SqlRuleFilter("n ="), SqlRuleFilter("n = " + "1" * 1024), CorrelationRuleFilter()):
        with pytest.raises(HttpResponseError) as refused:
            admin.create_rule("t", "s", "r", filter=condition)
        assert refused.value.status_code == 400
    with pytest.raises(ResourceExistsError):
        admin.create_rule("t", "s", "$Default")
    with pytest.raises(ResourceNotFoundError):
        admin.get_rule("t", "s", "nobody")
    with pytest.raises(ResourceNotFoundError):
        admin.delete_rule("t", "s", "nobody")


async def _do(string: str, ca: str) -> list[str]:
    async with AsyncAdmin.from_connection_string(string, connection_verify=ca, retry_total=0) as admin:
        await admin.create_queue("aio", lock_duration=timedelta(seconds=7))
        await admin.create_topic("aio-t")
        await admin.create_subscription("aio-t", "s")
        await admin.create_rule("aio-t", "s", "r", filter=SqlRuleFilter("a = 1"))
        queue = await admin.get_queue("aio")
        queue.max_delivery_count = 3
        await admin.update_queue(queue)
        assert (await admin.get_queue("aio")).max_delivery_count == 3
        assert (await admin.get_queue_runtime_properties("aio")).total_message_count == 0
        with pytest.raises(ResourceNotFoundError):
            await admin.get_queue("nobody")
        return [rule.name async for rule in admin.list_rules("aio-t", "s")]


def test_the_async_client(shared: Emulator, admin: ServiceBusAdministrationClient, ca: str) -> None:
    """S-81."""
    assert asyncio.run(_do(shared.connection_string(), ca)) == ["$Default", "r"]


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


def test_who_forwards_may_send_there(shared: Emulator, ca: str, http: httpx.Client) -> None:
    """S-68: a token for the target comes along, in a header of its own; without, the request's own has to be good for it."""
    shared.call(lambda server: server.namespace.add_queue("target", Queue()))
    guard, sender = AccessRule("guard", "guard-key", ("Manage", "Send", "Listen"), "source"), RULES[1]
    shared.call(lambda server: server.gatekeeper.set_rules("source", [guard]))

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
        shared.call(lambda server: server.remove("source"))
        shared.call(lambda server: server.gatekeeper.set_rules("source", [guard]))
        assert put(element, Authorization=token(AccessRule(), "")).status_code == 201
        shared.call(lambda server: server.remove("source"))
        shared.call(lambda server: server.gatekeeper.set_rules("source", [guard]))
    shared.call(lambda server: server.remove("target"))
    shared.call(lambda server: server.gatekeeper.set_rules("source", []))


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


def test_a_premium_namespace_takes_large_messages(shared: Emulator, ca: str) -> None:
    """S-86: MaxMessageSizeInKilobytes from 1024 to 102400."""
    with (
        Emulator(Topology(sku="Premium", queues={"old": Queue()})) as bus,
        ServiceBusAdministrationClient.from_connection_string(bus.connection_string(), connection_verify=ca) as admin,
    ):
        assert admin.get_namespace_properties().messaging_sku == "Premium"
        assert admin.create_queue("q", max_message_size_in_kilobytes=12345).max_message_size_in_kilobytes == 12345
        assert admin.create_queue("r").max_message_size_in_kilobytes == 1024
        for size in (1023, 102401):
            with pytest.raises(HttpResponseError):
                admin.create_queue("s", max_message_size_in_kilobytes=size)
        with Client(bus.connection_string()) as client:
            client.send("q", [OutgoingMessage(body=b"x" * (2 << 20))])


def test_partitioned_entities(shared: Emulator, admin: ServiceBusAdministrationClient) -> None:
    """S-53, S-86: sixteen times the size is shown, and may be sent back; what is shown is done; it cannot be changed."""
    made = admin.create_queue("p", enable_partitioning=True, max_size_in_megabytes=3072)
    assert (made.enable_partitioning, made.max_size_in_megabytes) == (True, 49_152)
    made.max_delivery_count = 4
    admin.update_queue(made)
    assert admin.get_queue("p").max_size_in_megabytes == 49_152
    made.max_size_in_megabytes = 1024
    admin.update_queue(made)
    assert admin.get_queue("p").max_size_in_megabytes == 16_384
    made.enable_partitioning = False
    with pytest.raises(HttpResponseError, match="EnablePartitioning"):
        admin.update_queue(made)
    assert admin.create_topic("pt", enable_partitioning=True).enable_partitioning is True
    admin.create_subscription("pt", "s")
    with Client(shared.connection_string()) as client:
        for number in range(3):
            client.send("p", [OutgoingMessage(b"x", message_id=str(number))])
            client.send("pt", [OutgoingMessage(b"x", annotations={"x-opt-partition-key": "k"})])
        found = client.receive("p", max_messages=3)
        assert [message.sequence_number >> 48 for message in found] == [1, 2, 3]
        assert [message.annotations["x-opt-partition-id"] for message in found] == [1, 2, 3]
        copies = client.receive("pt/Subscriptions/s", max_messages=3)
        assert len({message.annotations["x-opt-partition-id"] for message in copies}) == 1
        assert copies[0].annotations["x-opt-partition-key"] == "k"
        arguments = {"message-count": 1, "enqueued-time-utc": int(time.time() * 1000)}
        with pytest.raises(ServiceBusError, match="cannot be deleted in batches"):
            client._manage("p", "batch-delete-messages", arguments)
