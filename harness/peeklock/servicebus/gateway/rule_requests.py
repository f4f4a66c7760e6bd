"""The rules of subscriptions over `$management`: add-rule, remove-rule, enumerate-rules (S-28)."""

# ruff: noqa: ARG002 -- all operations have one signature
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from peeklock.servicebus.amqp.encode import encode
from peeklock.servicebus.amqp.types import Described, Int, Timestamp, ULong
from peeklock.servicebus.broker import Queue
from peeklock.servicebus.broker.errors import ArgumentError, NotAllowed
from peeklock.servicebus.broker.rules import CorrelationFilter, FalseFilter, Filter, Rule, SqlFilter, TrueFilter
from peeklock.servicebus.broker.rules.actions import SqlAction
from peeklock.servicebus.broker.subscription import Subscription

# filters have one hexadecimal zero fewer than the others: so it is in the service and its clients
SQL_FILTER, TRUE_FILTER, FALSE_FILTER, CORRELATION_FILTER = 0x1370000006, 0x1370000007, 0x1370000008, 0x1370000009
RULE_DESCRIPTION, EMPTY_ACTION, SQL_ACTION = 0x13700000004, 0x13700000005, 0x13700000006
COMPATIBILITY = Int(20)
MAX_PAGE = 100
_FIELDS = {
    "correlation-id": "correlation_id",
    "message-id": "message_id",
    "to": "to",
    "reply-to": "reply_to",
    "label": "subject",
    "session-id": "session_id",
    "reply-to-session-id": "reply_to_session_id",
    "content-type": "content_type",
}
"""The fields of a correlation filter in a request, in the order of its list in a reply."""

Operation = Callable[[dict[Any, Any], "str | None"], "bytes | None"]


class RuleRequests:
    """The operations on the rules of one entity; only subscriptions have any."""

    def __init__(self, queue: Queue, now: Callable[[], float]) -> None:
        self._queue = queue
        self._now = now

    def operations(self) -> dict[str, tuple[str, Operation]]:
        """Return the operations with the right that each asks for: Listen, as the clients' rule managers say."""
        return {
            "add-rule": ("Listen", self._add),
            "remove-rule": ("Listen", self._remove),
            "enumerate-rules": ("Listen", self._enumerate),
        }

    def _subscription(self) -> Subscription:
        entity = self._queue
        if not isinstance(entity, Subscription):
            raise NotAllowed(f"'{entity.name}' is no subscription: it has no rules.")
        return entity

    def _add(self, arguments: dict[Any, Any], consumer: str | None) -> bytes:
        subscription = self._subscription()
        description = arguments.get("rule-description")
        if not isinstance(description, dict):
            raise ArgumentError("The request needs 'rule-description', a map.")
        action = description.get("sql-rule-action")
        expression = action.get("expression") if isinstance(action, dict) else None
        now = self._now()
        rule = Rule(
            _name(arguments),
            _filter(description),
            SqlAction(str(expression)) if expression else None,
            now,
        )
        subscription.add_rule(rule)
        return encode({})

    def _remove(self, arguments: dict[Any, Any], consumer: str | None) -> bytes:
        self._subscription().remove_rule(_name(arguments))
        return encode({})

    def _enumerate(self, arguments: dict[Any, Any], consumer: str | None) -> bytes | None:
        skip, top = (arguments.get(key, default) for key, default in (("skip", 0), ("top", MAX_PAGE)))
        if not isinstance(skip, int) or not isinstance(top, int) or skip < 0 or top < 0:
            raise ArgumentError("'skip' and 'top' are integers from 0 on.")
        rules = list(self._subscription().listed_rules())[skip : skip + min(top, MAX_PAGE)]
        return encode({"rules": [{"rule-description": _described(rule)} for rule in rules]}) if rules else None


def _name(arguments: dict[Any, Any]) -> str:
    name = arguments.get("rule-name")
    if not isinstance(name, str) or not name:
        raise ArgumentError("The request needs 'rule-name'.")
    return str(name)


def _filter(description: dict[Any, Any]) -> Filter:
    sql, correlation = description.get("sql-filter"), description.get("correlation-filter")
    if isinstance(sql, dict):
        return SqlFilter(sql.get("expression") or "")
    if isinstance(correlation, dict):
        system = {_FIELDS.get(str(key), str(key)): value for key, value in correlation.items() if key != "properties"}
        properties = correlation.get("properties")
        texts = {key: None if value is None else str(value) for key, value in system.items()}
        return CorrelationFilter(texts, properties if isinstance(properties, dict) else None)
    if "true-filter" in description:
        return TrueFilter()
    if "false-filter" in description:
        return FalseFilter()
    raise ArgumentError("The 'rule-description' needs 'sql-filter' or 'correlation-filter'.")


def _described(rule: Rule) -> Described:
    action = Described(ULong(EMPTY_ACTION), [])
    if rule.action is not None:
        action = Described(ULong(SQL_ACTION), [rule.action.expression, COMPATIBILITY])
    created = Timestamp(int(rule.created_at * 1000))
    return Described(ULong(RULE_DESCRIPTION), [_described_filter(rule.filter), action, rule.name, created])


def _described_filter(condition: Filter) -> Described:
    if isinstance(condition, SqlFilter):
        return Described(ULong(SQL_FILTER), [condition.expression, COMPATIBILITY])
    if isinstance(condition, CorrelationFilter):
        fields: list[Any] = [condition.system.get(name) for name in _FIELDS.values()]
        return Described(ULong(CORRELATION_FILTER), [*fields, condition.properties])
    return Described(ULong(FALSE_FILTER if isinstance(condition, FalseFilter) else TRUE_FILTER), [])
