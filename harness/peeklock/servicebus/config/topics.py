"""Topics, subscriptions and rules of the official emulator's Config.json (part C of the design page)."""

from __future__ import annotations

from typing import Any

from peeklock.servicebus.entity_settings import Rule, Subscription, Topic

from .reader import ConfigReader

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
    subscriptions = {
        name: _subscription(reader, item, path)
        for name, item, path in reader.named(entry, "Subscriptions", at, "subscription")
    }
    settings = reader.settings(Topic, reader.properties(entry, at), f"{at}.Properties")
    return Topic(subscriptions=subscriptions, **settings)


def _subscription(reader: ConfigReader, entry: dict[str, Any], at: str) -> Subscription:
    rules = {name: _rule(reader, item, path) for name, item, path in reader.named(entry, "Rules", at, "rule")}
    settings = reader.settings(Subscription, reader.properties(entry, at), f"{at}.Properties")
    return Subscription(rules=rules or None, **settings)  # none given: the rule $Default, as everywhere (S-69)


def _rule(reader: ConfigReader, entry: dict[str, Any], at: str) -> Rule:
    where = f"{at}.Properties"
    values = reader.properties(entry, at)
    reader.known(values, ("FilterType", "CorrelationFilter", "SqlFilter", "Action"), where)
    kind = values.get("FilterType")
    if kind not in _TYPES:
        raise reader.error(f"{where}.FilterType", " or ".join(map(repr, _TYPES)), repr(kind), 'write "Sql"')
    action = None
    if values.get("Action") is not None:
        action = _expression(reader, values["Action"], f"{where}.Action")
    if kind == "Sql":
        return Rule(sql=_expression(reader, values.get("SqlFilter"), f"{where}.SqlFilter"), action=action)
    return Rule(
        correlation=_correlation(reader, values.get("CorrelationFilter"), f"{where}.CorrelationFilter"), action=action
    )


def _expression(reader: ConfigReader, value: Any, where: str) -> str:
    values = reader.object(value, where)
    reader.known(values, ("SqlExpression",), where)
    return reader.text(values, "SqlExpression", where)


def _correlation(reader: ConfigReader, value: Any, where: str) -> dict[str, Any]:
    given = reader.object(value, where)
    reader.known(given, (*_CORRELATION, "Properties"), where)
    result: dict[str, Any] = {}
    for key, name in _CORRELATION.items():
        if given.get(key) is not None:
            result[name] = reader.text(given, key, where)
    if given.get("Properties") is not None:
        result["properties"] = reader.object(given["Properties"], f"{where}.Properties")
    if not result:
        raise reader.error(where, "at least one property to compare", "none", 'add "Label": "my-label", or use Sql')
    return result
