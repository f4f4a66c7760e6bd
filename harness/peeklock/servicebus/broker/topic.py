"""A topic: what is sent to it goes to the subscriptions whose rules match (S-69)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from peeklock.servicebus.ledger import EventKind

from .consumer import Consumer
from .errors import EntityExists, EntityNotFound, NotAllowed, QuotaExceeded
from .message import Content, Message
from .queue import Queue
from .rules import CorrelationFilter, Facts, Rule, SqlFilter
from .settings import Settings
from .subscription import Subscription, SubscriptionSettings

MAX_SUBSCRIPTIONS = 2_000
MAX_FILTERS: dict[type[Any], int] = {SqlFilter: 2_000, CorrelationFilter: 100_000}
"""How many rules of a kind the subscriptions of one topic may have together (S-73)."""


class TopicSettings(Settings, Protocol):
    """What a topic needs to know about itself (`topology.Topic` has it)."""

    @property
    def subscriptions(self) -> Mapping[str, Any]:
        """Settings of the subscriptions that it begins with, by name."""


class Topic(Queue):
    """Keeps scheduled messages and the duplicate history; everything else is passed on at once."""

    kind = "Topic"
    has_dead_letters = False
    settings: TopicSettings

    def __init__(self, name: str, settings: TopicSettings, *rest: Any) -> None:
        super().__init__(name, settings, *rest)
        self.subscriptions: dict[str, Subscription] = {}
        self._rest = rest

    def subscribe(self, name: str, settings: SubscriptionSettings) -> Subscription:
        """Add a subscription for messages to come. Raises `EntityExists` or `QuotaExceeded`."""
        if name.lower() in self.subscriptions:
            raise EntityExists(f"The subscription '{name}' of '{self.name}' exists already.")
        if len(self.subscriptions) >= MAX_SUBSCRIPTIONS:
            raise QuotaExceeded(f"The topic '{self.name}' has {MAX_SUBSCRIPTIONS} subscriptions: no more are taken.")
        subscription = Subscription(f"{self.name}/Subscriptions/{name}", settings, *self._rest)
        if self.partitions is not None:
            for part in subscription.parts():
                part.divide(inherits=True)
        self.subscriptions[name.lower()] = subscription
        subscription.admit_rule = self._admit_rule
        return subscription

    def _admit_rule(self, rule: Rule) -> None:
        kind = type(rule.filter)
        most = MAX_FILTERS.get(kind)
        if most is None:
            return
        counts = (sum(type(r.filter) is kind for r in s.rules.values()) for s in self.subscriptions.values())
        if sum(counts) >= most:
            raise QuotaExceeded(f"The topic '{self.name}' has {most} rules with a {kind.__name__}: no more are taken.")

    def unsubscribe(self, name: str) -> Subscription:
        """Remove a subscription with its messages; return what it was. Raises `EntityNotFound`."""
        subscription = self.subscriptions.pop(name.lower(), None)
        if subscription is None:
            raise EntityNotFound(f"The messaging entity '{self.name}/Subscriptions/{name}' could not be found.")
        return subscription

    def admit_receiver(self) -> None:
        """Refuse: messages are received from subscriptions."""
        raise NotAllowed(f"You cannot receive from a topic: '{self.name}'. Receive from one of its subscriptions.")

    def add_consumer(self, consumer: Consumer) -> None:  # noqa: ARG002 -- the entity's
        """Refuse, as `admit_receiver` does."""
        self.admit_receiver()

    def last_used(self) -> float | None:
        """Return when it, or one of its subscriptions, was used last; None while one is in use."""
        moments = [super().last_used(), *(subscription.last_used() for subscription in self.subscriptions.values())]
        known = [moment for moment in moments if moment is not None]
        return max(known) if len(known) == len(moments) else None

    def stored_bytes(self) -> int:
        """Return the size of what is scheduled and of the fullest subscription: a message counts once, not once a copy."""
        return self.size_in_bytes + max((s.size_in_bytes for s in self.subscriptions.values()), default=0)

    def take_forwarded(self, content: Content, origin: int, hops: int, details: dict[str, Any]) -> None:
        """Take a message that another entity forwards (S-67)."""
        self.used_at = now = self._now()
        if self._is_new(content, now):
            self._publish(content, now, details, now, origin, hops)

    def _add(
        self,
        content: Content,
        now: float,
        event: EventKind = EventKind.ENQUEUED,  # noqa: ARG002 -- a topic enqueues nothing
        details: dict[str, Any] | None = None,
        since: float | None = None,
    ) -> Message:
        return self._publish(content, now, details, now if since is None else since, None, 0)

    def _publish(
        self,
        content: Content,
        now: float,
        details: dict[str, Any] | None,
        since: float,
        origin: int | None,
        hops: int,
    ) -> Message:
        """Number a message and give it to the subscriptions; the topic keeps nothing of it."""
        number = self._next_sequence
        self._next_sequence = number + 1
        if self.partitions is not None:
            number = self.partitions.number(content, number)
        if self.journal is not None:
            self.journal.numbered(self)
        default = self.settings.default_time_to_live
        if default is not None and (content.ttl is None or default < content.ttl):
            content.limit_ttl(default)
        self._ledger.record(now, self.name, EventKind.PUBLISHED, number, content.message_id, 1, None, content, details)
        facts = Facts(content, number, since)
        for subscription in list(self.subscriptions.values()):
            if subscription.offer(facts, now, since, number if origin is None else origin, hops):
                subscription.pump()
        return Message(content, number, since, None)
