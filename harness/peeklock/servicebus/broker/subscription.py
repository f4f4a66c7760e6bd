"""A subscription: a queue that a topic fills, as its rules say (S-69)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from peeklock.servicebus import entity_settings
from peeklock.servicebus.ledger import EventKind

from .dead_lettering import HEADER_REASON, HEADER_TEXT, SESSION_NEEDED_REASON, SESSION_NEEDED_TEXT
from .errors import EntityExists, EntityNotFound
from .message import Content
from .queue import Kind, Queue, Surroundings
from .rules import DEFAULT_RULE_NAME, Facts, FilterException, Rule
from .rules.building import build_all

SUBSCRIPTION = Kind("Subscription", "You cannot send to a subscription: '{}'. Send to its topic.")


class Subscription(Queue):
    """One subscription of a topic; its name is `topic/Subscriptions/name`."""

    settings: entity_settings.Subscription

    def __init__(
        self, name: str, settings: entity_settings.Subscription, surroundings: Surroundings, *, partitioned: bool
    ) -> None:
        super().__init__(name, settings, surroundings, SUBSCRIPTION, inherits=True if partitioned else None)
        self.rules: dict[str, Rule] = {}
        self.admit_rule: Callable[[Rule], None] | None = None
        """Raises when the topic has no room for one more rule (S-73)."""
        for rule in build_all(settings):
            rule.created_at = rule.created_at or surroundings.clock.now()
            self.add_rule(rule)

    def add_rule(self, rule: Rule) -> None:
        """Add a rule for messages to come. Raises `EntityExists` or `QuotaExceeded` (S-28, S-73)."""
        if rule.name.lower() in self.rules:
            raise EntityExists(f"The rule '{rule.name}' exists in '{self.name}' already.")
        if self.admit_rule is not None:
            self.admit_rule(rule)
        self.rules[rule.name.lower()] = rule
        self.gate.touch()
        self._configured()

    def remove_rule(self, name: str) -> None:
        """Remove a rule. Raises `EntityNotFound` (S-28)."""
        if self.rules.pop(name.lower(), None) is None:
            raise EntityNotFound(f"The messaging entity '{self.name}/rules/{name}' could not be found.")
        self._configured()

    def _configured(self) -> None:
        if self.log.journal is not None:
            self.log.journal.configured()

    def listed_rules(self) -> Iterable[Rule]:
        """Return the rules as lists show them: $Default first, then by name (S-86)."""
        return sorted(self.rules.values(), key=lambda rule: (rule.name != DEFAULT_RULE_NAME, rule.name))

    def offer(self, facts: Facts, now: float, since: float, origin: int, hops: int) -> int:
        """Take the copies of a message that the rules ask for; return how many (S-69). serving receivers is the caller's.

        A rule that cannot be evaluated does not match, and does not keep the others from matching; the message goes to
        the dead-letter queue once, too, when the subscription is set so (S-71).
        """
        copies: list[tuple[str, Any]] = []
        plain: str | None = None
        failed: tuple[Rule, Exception] | None = None
        for rule in self.rules.values():
            if rule.action is None and plain is not None:
                continue
            try:
                if not rule.filter.matches(facts):
                    continue
                if rule.action is None:
                    plain = rule.name
                else:
                    copies.append((rule.name, rule.changed(facts)))
            except (FilterException, ValueError) as error:
                failed = failed or (rule, error)
        if plain is not None:
            copies.insert(0, (plain, facts.content.copy()))
        for rule_name, content in copies:
            self._take(content, rule_name, now, since, origin, hops)
        if failed is not None and self.settings.dead_lettering_on_filter_evaluation_exceptions:
            text = f"Rule '{failed[0].name}': {failed[1]}"
            self.intake.bury(facts.content.copy(), now, origin, FilterException.__name__, text)
        return len(copies)

    def _take(self, content: Content, rule: str, now: float, since: float, origin: int, hops: int) -> None:
        if self.sessions is not None and content.session_id is None:
            self.intake.bury(content, now, origin, SESSION_NEEDED_REASON, SESSION_NEEDED_TEXT)
            return
        if content.flaw() is not None:  # an action has made it too long
            self.intake.bury(content, now, origin, HEADER_REASON, HEADER_TEXT)
            return
        details = {"topic_sequence": origin, "rule": rule}
        self.intake.inbox.put(content, now, EventKind.ENQUEUED, details, since=since, origin=origin, hops=hops)
