"""Are the SQL filters and actions of a scenario's subscriptions well written? The emulator's own compiler tells."""

from __future__ import annotations

from collections.abc import Iterator

from peeklock import servicebus
from peeklock.scenario.document import DataPath
from peeklock.scenario.errors import Problem
from peeklock.scenario.model import Scenario
from peeklock.scenario.topology import Rule
from peeklock.servicebus.broker.rules import RuleInvalid
from peeklock.servicebus.broker.rules.building import build


def rule_problems(scenario: Scenario) -> list[Problem]:
    """Return a problem for each rule that the Service Bus would refuse."""
    rules = list(_rules(scenario))
    if not rules:
        return []
    found: list[Problem] = []
    for path, name, rule in rules:
        try:
            build(name, servicebus.Rule(sql=rule.sql, correlation=rule.correlation, action=rule.action))
        except RuleInvalid as error:
            key = "action" if rule.action is not None and "action" in str(error).lower() else "sql"
            found.append(scenario.document.problem((*path, key), error.problem, fix=error.fix))
    return found


def _rules(scenario: Scenario) -> Iterator[tuple[DataPath, str, Rule]]:
    bus = scenario.header.stack.servicebus
    for topic, facts in (bus.topics if bus else {}).items():
        for subscription, each in facts.subscriptions.items():
            for name, rule in (each.rules or {}).items():
                if isinstance(rule, Rule):
                    path = ("stack", "servicebus", "topics", topic, "subscriptions", subscription, "rules", name)
                    yield path, name, rule
