"""How contents, rules and settings are written in a store: as AMQP, which keeps every type, or as JSON."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from peeklock.servicebus import topology
from peeklock.servicebus.amqp import Envelope, decode
from peeklock.servicebus.amqp.encode import encode
from peeklock.servicebus.amqp.reading import Reading
from peeklock.servicebus.broker.rules import CorrelationFilter, FalseFilter, Rule, SqlFilter, TrueFilter
from peeklock.servicebus.broker.rules.actions import SqlAction


def dump_content(content: Envelope) -> bytes:
    """Write a message's content."""
    return encode([_listed(getattr(content, name)) for name in Reading.__slots__])


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def load_content(raw: bytes) -> Envelope:
    """Read what `dump_content` has written."""
    content = Envelope.__new__(Envelope)
    for name, value in zip(Reading.__slots__, decode.plain(raw)[0], strict=True):
        setattr(content, name, tuple(value) if isinstance(value, list) else value)
    return content


def dump_rules(rules: list[Rule]) -> bytes:
    """Write the rules of a subscription, in their order."""
    return encode([_rule(rule) for rule in rules])


def _rule(rule: Rule) -> list[Any]:
    condition = rule.filter
    parts: list[Any] = [type(condition).__name__]
    if isinstance(condition, SqlFilter):
        parts += [condition.expression, condition.parameters]
    elif isinstance(condition, CorrelationFilter):
        parts += [condition.system, condition.properties]
    action = None if rule.action is None else [rule.action.expression, rule.action.parameters]
    return [rule.name, rule.created_at, parts, action]


def load_rules(raw: bytes) -> list[Rule]:
    """Read what `dump_rules` has written."""
    rules = []
    for name, created_at, (kind, *parts), action in decode.value(raw)[0]:
        condition: Any
        match kind:
            case "SqlFilter":
                condition = SqlFilter(*parts)
            case "CorrelationFilter":
                condition = CorrelationFilter(*parts)
            case "FalseFilter":
                condition = FalseFilter()
            case _:
                condition = TrueFilter()
        rules.append(Rule(name, condition, None if action is None else SqlAction(*action), created_at))
    return rules


def dump_settings(settings: Any) -> str:
    """Write the settings of a queue, a topic or a subscription, without what hangs on it."""
    values = {item.name: getattr(settings, item.name) for item in dataclasses.fields(settings)}
    return json.dumps({name: value for name, value in values.items() if name not in ("subscriptions", "rules")})


def load_settings(kind: str, text: str) -> Any:
    """Read the settings of a `Queue`, `Topic` or `Subscription`; a subscription has no rules yet."""
    values = json.loads(text)
    if kind == "Subscription":
        return topology.Subscription(**values, rules={})
    return {"Queue": topology.Queue, "Topic": topology.Topic}[kind](**values)
