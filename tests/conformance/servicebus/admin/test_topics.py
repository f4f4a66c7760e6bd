"""Topics, subscriptions and their rules through the administration client."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.servicebus.management import (
    CorrelationRuleFilter,
    FalseRuleFilter,
    ServiceBusAdministrationClient,
    SqlRuleAction,
    SqlRuleFilter,
    TrueRuleFilter,
)

from peeklock.servicebus import Client, Emulator, OutgoingMessage, ServiceBusError


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
