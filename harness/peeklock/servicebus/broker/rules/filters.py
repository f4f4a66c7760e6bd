"""Filters: which messages of a topic a subscription gets (S-69 to S-71)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from .compiler import Compiler
from .errors import RuleInvalid
from .facts import Facts
from .grammar import parse
from .values import same

_ALWAYS = "1=1"


class Filter(Protocol):
    """Says of a message whether it matches. Raises `FilterException` when that cannot be said."""

    def matches(self, facts: Facts) -> bool:
        """True when the message is for the subscription."""


class TrueFilter:
    """Matches every message."""

    __slots__ = ()

    def matches(self, facts: Facts) -> bool:  # noqa: ARG002 -- the protocol's
        """True."""
        return True


class FalseFilter:
    """Matches no message."""

    __slots__ = ()

    def matches(self, facts: Facts) -> bool:  # noqa: ARG002 -- the protocol's
        """False."""
        return False


class CorrelationFilter:
    """Matches messages whose properties all equal those given: texts with their case, and no text equals a number
    (S-70). `system` has some of FIELDS; what is unset or None does not matter. Raises `RuleInvalid`."""

    __slots__ = ("_checks", "properties", "system")

    FIELDS = {
        "content_type": "contenttype",
        "correlation_id": "correlationid",
        "message_id": "messageid",
        "reply_to": "replyto",
        "reply_to_session_id": "replytosessionid",
        "session_id": "sessionid",
        "subject": "label",
        "to": "to",
    }

    def __init__(self, system: Mapping[str, str | None], properties: Mapping[str, Any] | None = None) -> None:
        self.system = {name: value for name, value in system.items() if value is not None}
        self.properties = dict(properties or {})
        unknown = [name for name in self.system if name not in self.FIELDS]
        if unknown:
            raise RuleInvalid(
                f"A correlation filter has no field '{unknown[0]}'.", f"use {', '.join(self.FIELDS)} or properties."
            )
        if not self.system and not self.properties:
            raise RuleInvalid("The correlation filter has no condition.", "give a field or a property to compare.")
        self._checks = [(self.FIELDS[name], value) for name, value in self.system.items()]

    def matches(self, facts: Facts) -> bool:
        """True when all that is given is equal."""
        for name, wanted in self._checks:
            found = facts.system(name)
            if found is None or str(found) != wanted:
                return False
        if self.properties:
            user = facts.user()
            for name, wanted in self.properties.items():
                entry = user.get(name.lower())
                if entry is None or entry[1] is None or not same(entry[1], wanted):
                    return False
        return True


class SqlFilter:
    """Matches messages for which an SQL expression is true; unknown is not true (S-71). Raises `RuleInvalid`."""

    __slots__ = ("_test", "expression", "parameters")

    def __init__(self, expression: str, parameters: Mapping[str, Any] | None = None) -> None:
        self.expression = expression
        self.parameters = dict(parameters or {})
        if isinstance(expression, str) and expression.replace(" ", "") == _ALWAYS:
            self._test: Any = lambda _: True  # what SDKs write for "every message": no parser is loaded for it
            return
        self._test = Compiler(self.parameters).condition(parse("filter", expression).children[0])  # type: ignore[arg-type]

    def matches(self, facts: Facts) -> bool:
        """True when the expression is."""
        return self._test(facts) is True
