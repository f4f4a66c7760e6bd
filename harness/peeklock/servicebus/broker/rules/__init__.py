"""The rules of subscriptions: filters and actions over a message's properties (S-69 to S-73)."""

from __future__ import annotations

from .errors import FilterException, RuleInvalid
from .facts import Facts
from .filters import CorrelationFilter, FalseFilter, Filter, SqlFilter, TrueFilter
from .rule import DEFAULT_RULE_NAME, Rule

__all__ = [
    "DEFAULT_RULE_NAME",
    "CorrelationFilter",
    "Facts",
    "FalseFilter",
    "Filter",
    "FilterException",
    "Rule",
    "RuleInvalid",
    "SqlFilter",
    "TrueFilter",
]
