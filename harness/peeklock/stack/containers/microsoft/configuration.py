"""A scenario's Service Bus topology as the official emulator's Config.json; what it cannot hold is refused with the limit named.

Limits: the "Usage quotas" of Microsoft's page "Overview of the Azure Service Bus emulator", and Config-schema.json of
Azure/azure-service-bus-emulator-installer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from peeklock.durations import format_iso
from peeklock.scenario.topology import Queue, Receivable, Rule, ServiceBus, Subscription, Topic
from peeklock.stack.errors import StackError

NAMESPACE = "sbemulatorns"
"""The one that there is; its name cannot be chosen."""

ENTITIES = 50
SUBSCRIPTIONS = 50
RULES = 1000
CONNECTIONS = 10
DELIVERIES = 10
LOCK = (5.0, 300.0)
TIME_TO_LIVE = (300.0, 3600.0)
DUPLICATES = (5.0, 300.0)
EXPRESSION = 1024

_NAME = re.compile(r"[A-Za-z0-9]|[A-Za-z0-9][\w\-./]*[A-Za-z0-9]", re.ASCII)
_CORRELATION = {
    "content_type": "ContentType",
    "correlation_id": "CorrelationId",
    "message_id": "MessageId",
    "properties": "Properties",
    "reply_to": "ReplyTo",
    "reply_to_session_id": "ReplyToSessionId",
    "session_id": "SessionId",
    "subject": "Label",
    "to": "To",
}


def configuration(topology: ServiceBus, *, connections: int = 0) -> dict[str, Any]:
    """The content of Config.json. `connections`: how many clients will be connected at once, as far as one knows.

    A time to live that is not given becomes the longest that there is, an hour. Raises `StackError` that names every limit.
    """
    found = list(beyond(topology, connections=connections))
    if found:
        raise StackError(
            "the official Service Bus emulator cannot hold this topology",
            expected="what its documentation allows",
            actual="; ".join(found),
            fix="change what is named, or use Peeklock's emulator, which has none of these limits",
        )
    queues = [{"Name": name, "Properties": _queue(queue)} for name, queue in topology.queues.items()]
    topics = [_topic(name, topic) for name, topic in topology.topics.items()]
    namespace = {"Name": NAMESPACE, "Queues": queues, "Topics": topics}
    return {"UserConfig": {"Namespaces": [namespace], "Logging": {"Type": "Console"}}}


def beyond(topology: ServiceBus, *, connections: int = 0) -> Iterator[str]:
    """Everything in a topology that the official emulator has no room or no word for."""
    entities = len(topology.queues) + len(topology.topics)
    if entities > ENTITIES:
        yield f"{entities} queues and topics, at most {ENTITIES}"
    if connections > CONNECTIONS:
        yield f"{connections} connections at once, at most {CONNECTIONS}"
    if topology.access_rules:
        yield f"access_rules ({', '.join(topology.access_rules)}): it has one key that may do everything"
    for name, queue in topology.queues.items():
        yield from _receivable(f"queues.{name}", name, queue)
        yield from _window(f"queues.{name}", queue)
    for name, topic in topology.topics.items():
        where = f"topics.{name}"
        yield from _name(where, name)
        yield from _window(where, topic)
        yield from _span(where, "default_time_to_live", topic.default_time_to_live, TIME_TO_LIVE)
        if not 1 <= len(topic.subscriptions) <= SUBSCRIPTIONS:
            yield f"{where}: {len(topic.subscriptions)} subscriptions, from 1 to {SUBSCRIPTIONS}"
        rules = sum(len(each.rules or ()) for each in topic.subscriptions.values())
        if rules > RULES:
            yield f"{where}: {rules} rules, at most {RULES} a topic"
        for inner, subscription in topic.subscriptions.items():
            yield from _receivable(f"{where}.{inner}", inner, subscription)
            for rule, facts in (subscription.rules or {}).items():
                yield from _rule_limits(f"{where}.{inner}.{rule}", rule, facts)


def _receivable(where: str, name: str, facts: Receivable) -> Iterator[str]:
    yield from _name(where, name)
    if facts.max_delivery_count > DELIVERIES:
        yield f"{where}: max_delivery_count {facts.max_delivery_count}, at most {DELIVERIES}"
    yield from _span(where, "lock_duration", facts.lock_duration, LOCK)
    yield from _span(where, "default_time_to_live", facts.default_time_to_live, TIME_TO_LIVE)


def _window(where: str, facts: Queue | Topic) -> Iterator[str]:
    yield from _span(where, "duplicate_detection_window", facts.duplicate_detection_window, DUPLICATES)


def _name(where: str, name: str) -> Iterator[str]:
    if not _NAME.fullmatch(name):
        yield f"{where}: a name has letters, digits, - _ . / and begins and ends with a letter or digit"


def _span(where: str, word: str, seconds: float | None, limits: tuple[float, float]) -> Iterator[str]:
    if seconds is None:
        return
    least, most = limits
    if not least <= seconds <= most:
        yield f"{where}: {word} {seconds:g} s, from {least:g} s to {most:g} s"
    elif seconds != int(seconds):
        yield f"{where}: {word} {seconds:g} s, whole seconds only"


def _rule_limits(where: str, name: str, rule: Rule | bool) -> Iterator[str]:
    yield from _name(where, name)
    if not isinstance(rule, bool):
        for text in (rule.sql, rule.action):
            if text is not None and len(text) > EXPRESSION:
                yield f"{where}: an expression of {len(text)} characters, at most {EXPRESSION}"
        for key in rule.correlation or ():
            if key not in _CORRELATION:
                yield f"{where}: it cannot compare {key}, only {', '.join(_CORRELATION)}"


def _common(facts: Receivable) -> dict[str, Any]:
    return {
        "DeadLetteringOnMessageExpiration": facts.dead_lettering_on_expiration,
        "DefaultMessageTimeToLive": format_iso(facts.default_time_to_live or TIME_TO_LIVE[1]),
        "ForwardDeadLetteredMessagesTo": facts.forward_dead_lettered_messages_to or "",
        "ForwardTo": facts.forward_to or "",
        "LockDuration": format_iso(facts.lock_duration),
        "MaxDeliveryCount": facts.max_delivery_count,  # always said: the default is 3 there and 10 in Azure
        "RequiresSession": facts.requires_session,
    }


def _duplicates(facts: Queue | Topic) -> dict[str, Any]:
    window = facts.duplicate_detection_window
    told = {} if window is None else {"DuplicateDetectionHistoryTimeWindow": format_iso(window)}
    return {**told, "RequiresDuplicateDetection": window is not None}


def _queue(queue: Queue) -> dict[str, Any]:
    return {**_common(queue), **_duplicates(queue)}


def _topic(name: str, topic: Topic) -> dict[str, Any]:
    time_to_live = format_iso(topic.default_time_to_live or TIME_TO_LIVE[1])
    return {
        "Name": name,
        "Properties": {"DefaultMessageTimeToLive": time_to_live, **_duplicates(topic)},
        "Subscriptions": [_subscription(inner, each) for inner, each in topic.subscriptions.items()],
    }


def _subscription(name: str, subscription: Subscription) -> dict[str, Any]:
    rules = [{"Name": rule, "Properties": _rule(facts)} for rule, facts in (subscription.rules or {}).items()]
    if subscription.rules == {}:
        rules = [{"Name": "none", "Properties": _rule(False)}]  # an empty list would mean every message
    return {"Name": name, "Properties": _common(subscription), **({"Rules": rules} if rules else {})}


def _rule(rule: Rule | bool) -> dict[str, Any]:
    if isinstance(rule, bool):
        return {"FilterType": "Sql", "SqlFilter": {"SqlExpression": "1=1" if rule else "1=0"}}
    action = {} if rule.action is None else {"Action": {"SqlExpression": rule.action}}
    if rule.sql is not None:
        return {"FilterType": "Sql", "SqlFilter": {"SqlExpression": rule.sql}, **action}
    wanted: Mapping[str, Any] = rule.correlation or {}
    return {
        "FilterType": "Correlation",
        "CorrelationFilter": {_CORRELATION[key]: value for key, value in wanted.items()},
        **action,
    }
