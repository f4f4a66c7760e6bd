"""Rules as they are written, made into rules that match."""

from __future__ import annotations

from peeklock.servicebus import entity_settings

from .actions import SqlAction
from .errors import RuleInvalid
from .filters import CorrelationFilter, FalseFilter, Filter, SqlFilter, TrueFilter
from .rule import DEFAULT_RULE_NAME, Rule


def build(name: str, given: entity_settings.Rule) -> Rule:
    """Return the rule. Raises `RuleInvalid` for a wrong expression, and unless it has exactly one filter."""
    kinds = [kind for kind in ("sql", "correlation", "matches") if getattr(given, kind) is not None]
    if len(kinds) != 1:
        raise RuleInvalid(f"has {' and '.join(kinds) or 'no filter'}", "give one of sql, correlation and matches")
    condition: Filter
    if given.sql is not None:
        condition = SqlFilter(given.sql, given.parameters)
    elif given.correlation is not None:
        system = dict(given.correlation)
        properties = system.pop("properties", None)
        condition = CorrelationFilter(system, properties)
    else:
        condition = TrueFilter() if given.matches else FalseFilter()
    action = None if given.action is None else SqlAction(given.action, given.parameters)
    return Rule(name, condition, action)


def build_all(settings: entity_settings.Subscription) -> list[Rule]:
    """Return the rules with which a subscription begins: $Default unless it has others (S-69). Raises as `build` does."""
    given = {DEFAULT_RULE_NAME: entity_settings.Rule(matches=True)} if settings.rules is None else settings.rules
    return [build(name, rule) for name, rule in given.items()]
