"""A rule: a filter, and an action for the messages that pass it."""

from __future__ import annotations

from typing import Any

from .actions import SqlAction
from .errors import RuleInvalid
from .facts import Facts
from .filters import Filter, TrueFilter

DEFAULT_RULE_NAME = "$Default"
RULE_NAME_PROPERTY = "RuleName"
MAX_NAME = 50


class Rule:
    """One rule of a subscription; `created_at` in epoch seconds. Raises `RuleInvalid` for a name that cannot be (S-87)."""

    __slots__ = ("action", "created_at", "filter", "name")

    def __init__(
        self, name: str, condition: Filter | None = None, action: SqlAction | None = None, created_at: float = 0.0
    ) -> None:
        if not isinstance(name, str) or not name or len(name) > MAX_NAME or any(c in name for c in "/\\?#"):
            raise RuleInvalid(
                f"The rule name {name!r} is not allowed.", f"use 1 to {MAX_NAME} characters, none of / \\ ? #."
            )
        self.name = name
        self.filter: Filter = TrueFilter() if condition is None else condition
        self.action = action
        self.created_at = created_at

    def changed(self, facts: Facts) -> Any:
        """Return the copy of the message that the action makes; it tells the rule's name (S-69)."""
        assert self.action is not None
        return self.action.apply(facts).updated({RULE_NAME_PROPERTY: self.name})
