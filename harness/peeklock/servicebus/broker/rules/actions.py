"""Actions: how a rule changes its copy of a message (S-72)."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from . import values
from .compiler import Compiler, Evaluate, written
from .errors import FilterException, RuleInvalid
from .facts import SETTABLE, SYSTEM_PROPERTIES, Facts, unknown_system
from .grammar import parse

MAX_STATEMENTS = 32
_FIELDS = {
    "contenttype": "content_type",
    "correlationid": "correlation_id",
    "label": "subject",
    "messageid": "message_id",
    "partitionkey": "x-opt-partition-key",
    "replyto": "reply_to",
    "replytosessionid": "reply_to_session_id",
    "sessionid": "session_id",
    "subject": "subject",
    "timetolive": "time_to_live",
    "to": "to",
    "viapartitionkey": "x-opt-via-partition-key",
}
_MAX_TEXT = 128
_SHORT = ("message_id", "session_id", "reply_to_session_id", "x-opt-partition-key", "x-opt-via-partition-key")


class Draft(Facts):
    """A message that is being changed: later statements see what earlier ones did."""

    __slots__ = ("changed",)

    def __init__(self, facts: Facts) -> None:
        super().__init__(facts.content, facts.sequence, facts.enqueued_at)
        self.changed: dict[str, Any] = {}
        self._user = dict(facts.user())

    def system(self, name: str) -> Any:
        """Return a system property, as it is by now."""
        field = _FIELDS.get(name)
        return self.changed[field] if field in self.changed else super().system(name)


class SqlAction:
    """SET and REMOVE statements, done in order. Raises `RuleInvalid` when it is made."""

    __slots__ = ("_statements", "expression", "parameters")

    def __init__(self, expression: str, parameters: Mapping[str, Any] | None = None) -> None:
        self.expression = expression
        self.parameters = dict(parameters or {})
        compiler = Compiler(self.parameters)
        statements: list[Any] = parse("action", expression).children
        if len(statements) > MAX_STATEMENTS:
            raise RuleInvalid(
                f"The SQL action has {len(statements)} statements; {MAX_STATEMENTS} are allowed.", "use fewer."
            )
        self._statements: list[tuple[str, str, Evaluate | None]] = []
        for statement in statements:
            scope, name = written(statement.children[0])
            removes = str(statement.data) == "remove"
            if scope == "sys":
                known = name.lower() in SYSTEM_PROPERTIES
                if removes or (known and name.lower() not in SETTABLE):
                    verb = "removed" if removes else "set"
                    raise RuleInvalid(f"The SQL action: 'sys.{name}' cannot be {verb}.", "change user properties.")
            self._statements.append((scope, name, None if removes else compiler.value(statement.children[1])))

    def apply(self, facts: Facts) -> Any:
        """Return the changed content. Raises `FilterException`."""
        draft = Draft(facts)
        user = draft.user()
        for scope, name, read in self._statements:
            key = name.lower()
            if read is None:
                user.pop(key, None)
            elif scope == "user":
                old = user.get(key)
                value = read(draft)
                user[key] = (name, value) if old is None else (old[0], _converted(value, old[1]))
            elif key not in SYSTEM_PROPERTIES:
                raise unknown_system(name)
            else:
                value = read(draft)
                if key in _FIELDS:  # all but the scheduled time, which an action cannot change (S-72)
                    draft.changed[_FIELDS[key]] = _system_value(_FIELDS[key], value)
        return facts.content.revised(dict(user.values()), draft.changed)


def _system_value(field: str, value: Any) -> Any:
    if field == "time_to_live":
        if not values.is_number(value) or value <= 0:
            raise FilterException("sys.TimeToLive takes seconds above zero.")
        return float(value)
    if value is None:
        if field == "message_id":
            raise FilterException("sys.MessageId cannot be null.")
        return None
    result = values.text(value)
    if field in _SHORT and len(result) > _MAX_TEXT:
        raise FilterException(f"{field} is longer than {_MAX_TEXT} characters.")
    return result


def _converted(value: Any, old: Any) -> Any:
    """Keep the kind of a property that was there, where the new value can be written in it."""
    if value is None or old is None or values.alike(value, old):
        return value
    try:
        if isinstance(old, str):
            return values.text(value)
        if isinstance(old, uuid.UUID) and isinstance(value, str):
            return uuid.UUID(value)
        if values.is_number(old) and isinstance(value, str):
            return float(value) if isinstance(old, float) else values.bounded(int(value))
    except (ValueError, FilterException):
        return value
    return value
