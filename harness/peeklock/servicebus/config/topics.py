"""Topics, subscriptions and rules of the official emulator's Config.json (part C of the design page)."""

from __future__ import annotations

from typing import Any

from peeklock.servicebus.topology import Rule, Subscription, Topic

from .reader import QUEUE_DEFAULTS, ConfigReader

_TOPIC_KEYS = ("DefaultMessageTimeToLive", "DuplicateDetectionHistoryTimeWindow", "RequiresDuplicateDetection")
_TOPIC_DEFAULTS = {key: QUEUE_DEFAULTS[key] for key in _TOPIC_KEYS}
_SUBSCRIPTION_DEFAULTS = {
    key: value
    for key, value in QUEUE_DEFAULTS.items()
    if key not in ("DuplicateDetectionHistoryTimeWindow", "RequiresDuplicateDetection")
}
_CORRELATION = {
    "ContentType": "content_type",
    "CorrelationId": "correlation_id",
    "Label": "subject",
    "MessageId": "message_id",
    "ReplyTo": "reply_to",
    "ReplyToSessionId": "reply_to_session_id",
    "SessionId": "session_id",
    "Subject": "subject",
    "To": "to",
}
_TYPES = ("Correlation", "Sql")


def read_topics(reader: ConfigReader, namespace: dict[str, Any], where: str) -> dict[str, Topic]:
    """Read the topics of a namespace. Raises `TopologyError` as `read_config` does."""
    return {name: _topic(reader, entry, at) for name, entry, at in reader.named(namespace, "Topics", where, "topic")}


def _topic(reader: ConfigReader, entry: dict[str, Any], at: str) -> Topic:
    where = f"{at}.Properties"
    values = reader.known(reader.properties(entry, at), _TOPIC_DEFAULTS, where)
    window = reader.duration(values, "DuplicateDetectionHistoryTimeWindow", where)
    return Topic(
        subscriptions={
            name: _subscription(reader, item, path)
            for name, item, path in reader.named(entry, "Subscriptions", at, "subscription")
        },
        duplicate_detection_window=window if reader.flag(values, "RequiresDuplicateDetection", where) else None,
        default_time_to_live=reader.duration(values, "DefaultMessageTimeToLive", where),
    )


def _subscription(reader: ConfigReader, entry: dict[str, Any], at: str) -> Subscription:
    where = f"{at}.Properties"
    values = reader.known(reader.properties(entry, at), _SUBSCRIPTION_DEFAULTS, where)
    rules = {name: _rule(reader, item, path) for name, item, path in reader.named(entry, "Rules", at, "rule")}
    return Subscription(
        max_delivery_count=reader.count(values, "MaxDeliveryCount", where),
        lock_duration=reader.duration(values, "LockDuration", where),
        default_time_to_live=reader.duration(values, "DefaultMessageTimeToLive", where),
        dead_lettering_on_expiration=reader.flag(values, "DeadLetteringOnMessageExpiration", where),
        requires_session=reader.flag(values, "RequiresSession", where),
        forward_to=reader.target(values, "ForwardTo", where),
        forward_dead_lettered_messages_to=reader.target(values, "ForwardDeadLetteredMessagesTo", where),
        # none given: the rule $Default, as everywhere (S-69)
        rules=rules or None,
    )


def _rule(reader: ConfigReader, entry: dict[str, Any], at: str) -> Rule:
    where = f"{at}.Properties"
    defaults = {"FilterType": None, "CorrelationFilter": None, "SqlFilter": None, "Action": None}
    values = reader.known(reader.properties(entry, at), defaults, where)
    kind = values["FilterType"]
    if kind not in _TYPES:
        raise reader.error(f"{where}.FilterType", " or ".join(map(repr, _TYPES)), repr(kind), 'write "Sql"')
    action = None
    if values["Action"] is not None:
        action = _expression(reader, values["Action"], f"{where}.Action")
    if kind == "Sql":
        return Rule(sql=_expression(reader, values["SqlFilter"], f"{where}.SqlFilter"), action=action)
    return Rule(
        correlation=_correlation(reader, values["CorrelationFilter"], f"{where}.CorrelationFilter"), action=action
    )


def _expression(reader: ConfigReader, value: Any, where: str) -> str:
    values = reader.known(reader.object(value, where), {"SqlExpression": None}, where)
    return reader.text(values, "SqlExpression", where)


def _correlation(reader: ConfigReader, value: Any, where: str) -> dict[str, Any]:
    given = reader.object(value, where)
    reader.known(given, {**_CORRELATION, "Properties": None}, where)
    result: dict[str, Any] = {}
    for key, name in _CORRELATION.items():
        if key in given:
            result[name] = reader.text(given, key, where)
    if "Properties" in given:
        result["properties"] = reader.object(given["Properties"], f"{where}.Properties")
    if not result:
        raise reader.error(where, "at least one property to compare", "none", 'add "Label": "my-label", or use Sql')
    return result
