"""Rules of subscriptions in the administration API (S-69, S-84, S-85)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from xml.etree.ElementTree import Element, SubElement

from peeklock.servicebus.amqp.types import Timestamp
from peeklock.servicebus.broker.errors import ArgumentError
from peeklock.servicebus.broker.rules import CorrelationFilter, FalseFilter, Filter, Rule, SqlFilter, TrueFilter
from peeklock.servicebus.broker.rules.actions import SqlAction

from .document import INSTANCE, SCHEMA, TYPE, add, described, local, read_fields
from .spans import write_moment

KIND = "RuleDescription"
_SEQUENCE = ("Filter", "Action", "CreatedAt", "Name")
_SQL = ("SqlExpression", "CompatibilityLevel", "Parameters", "RequiresPreprocessing")
_CORRELATION = {
    "CorrelationId": "correlation_id",
    "MessageId": "message_id",
    "To": "to",
    "ReplyTo": "reply_to",
    "Label": "subject",
    "SessionId": "session_id",
    "ReplyToSessionId": "reply_to_session_id",
    "ContentType": "content_type",
}
_PAIR = "KeyValueOfstringanyType"
_LEVEL = "20"
_INT32 = 1 << 31


class Span(str):
    """A duration in a rule, which AMQP has no type for: equal to the same text."""

    __slots__ = ()


def read_rule(name: str, description: Element, now: float) -> Rule:
    """Make the rule that a `RuleDescription` tells of. Raises `ArgumentError` or `RuleInvalid`."""
    fields = read_fields(description, _SEQUENCE)
    return Rule(name, _read_filter(fields.get("Filter")), _read_action(fields.get("Action")), now)


def _read_filter(element: Element | None) -> Filter:
    kind = "TrueFilter" if element is None else element.get(TYPE, "").rpartition(":")[2]
    if kind == "TrueFilter" or element is None:
        return TrueFilter()
    if kind == "FalseFilter":
        return FalseFilter()
    if kind == "SqlFilter":
        fields = read_fields(element, _SQL)
        return SqlFilter(_text(fields, "SqlExpression") or "", _pairs(fields.get("Parameters")))
    if kind == "CorrelationFilter":
        fields = read_fields(element, (*_CORRELATION, "Properties"))
        system = {attribute: _text(fields, name) for name, attribute in _CORRELATION.items()}
        return CorrelationFilter(system, _pairs(fields.get("Properties")))
    raise ArgumentError(f"'{kind[:60]}' is no type of a filter.")


def _read_action(element: Element | None) -> SqlAction | None:
    kind = "" if element is None else element.get(TYPE, "").rpartition(":")[2]
    if element is None or kind in ("", "EmptyRuleAction"):
        return None
    if kind != "SqlRuleAction":
        raise ArgumentError(f"'{kind[:60]}' is no type of an action.")
    fields = read_fields(element, _SQL)
    return SqlAction(_text(fields, "SqlExpression") or "", _pairs(fields.get("Parameters")))


def _text(fields: dict[str, Element], name: str) -> str | None:
    return fields[name].text if name in fields else None


def _pairs(element: Element | None) -> dict[str, Any]:
    pairs: dict[str, Any] = {}
    for pair in () if element is None else element:
        parts = {local(child): child for child in pair}
        if local(pair) != _PAIR or not {"Key", "Value"} <= parts.keys():
            raise ArgumentError(f"A map of properties is made of {_PAIR} with Key and Value.")
        value = parts["Value"]
        pairs[parts["Key"].text or ""] = _value(value.text or "", value.get(TYPE, "string").rpartition(":")[2])
    return pairs


def _value(text: str, kind: str) -> Any:
    try:
        match kind:
            case "int" | "long":
                return int(text)
            case "double" | "float" | "decimal":
                return float(text)
            case "boolean":
                return {"true": True, "1": True, "false": False, "0": False}[text.strip().lower()]
            case "dateTime":
                moment = datetime.fromisoformat(text.strip())
                moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
                return Timestamp(round(moment.timestamp() * 1000))
            case "duration":
                return Span(text)
    except (ValueError, KeyError, OverflowError):
        raise ArgumentError(f"'{text[:60]}' is no {kind}.") from None
    return text


def write_rule(rule: Rule) -> Element:
    """Describe a rule."""
    result = described(KIND)
    _write_rule(result, rule)
    return result


def _write_rule(result: Element, rule: Rule) -> None:
    _write_filter(result, rule.filter)
    if rule.action is None:
        SubElement(result, "Action", {"i:type": "EmptyRuleAction"})
    else:
        action = SubElement(result, "Action", {"i:type": "SqlRuleAction"})
        _write_sql(action, rule.action.expression, rule.action.parameters)
    add(result, "CreatedAt", write_moment(rule.created_at))
    add(result, "Name", rule.name)


def _write_filter(parent: Element, condition: Filter) -> None:
    element = SubElement(parent, "Filter", {"i:type": type(condition).__name__})
    if isinstance(condition, CorrelationFilter):
        for name, attribute in _CORRELATION.items():
            if (value := condition.system.get(attribute)) is not None:
                add(element, name, value)
        _write_pairs(element, "Properties", condition.properties)
    elif isinstance(condition, SqlFilter):
        _write_sql(element, condition.expression, condition.parameters)
    else:
        _write_sql(element, "1=0" if isinstance(condition, FalseFilter) else "1=1", {})


def _write_sql(element: Element, expression: str, parameters: dict[str, Any]) -> None:
    add(element, "SqlExpression", expression)
    add(element, "CompatibilityLevel", _LEVEL)
    _write_pairs(element, "Parameters", parameters)


def _write_pairs(parent: Element, name: str, pairs: dict[str, Any]) -> None:
    result = SubElement(parent, name)
    for key, value in pairs.items():
        pair = SubElement(result, _PAIR)
        add(pair, "Key", key)
        kind, text = _written(value)
        element = SubElement(pair, "Value", {"i:type": f"d6p1:{kind}", "xmlns:d6p1": SCHEMA, "xmlns:i": INSTANCE})
        element.text = text


def _written(value: Any) -> tuple[str, str]:
    if isinstance(value, bool):
        return "boolean", str(value).lower()
    if isinstance(value, Timestamp):
        moment = datetime.fromtimestamp(value / 1000, UTC)
        return "dateTime", moment.replace(tzinfo=None).isoformat()
    if isinstance(value, int):
        return "int" if -_INT32 <= value < _INT32 else "long", str(int(value))
    if isinstance(value, float):
        return "double", repr(float(value))
    return "duration" if isinstance(value, Span) else "string", str(value)
