"""A topic: what is sent to it goes to the subscriptions whose rules match (S-69)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from peeklock.servicebus import entity_settings
from peeklock.servicebus.entity_settings import MAX_SUBSCRIPTIONS
from peeklock.servicebus.ledger import EventKind

from .errors import EntityExists, EntityNotFound, QuotaExceeded
from .log import MessageLog
from .message import Content, Message
from .queue import Kind, Queue, Surroundings
from .rules import CorrelationFilter, Facts, Rule, SqlFilter
from .subscription import Subscription

MAX_FILTERS: dict[type[Any], int] = {SqlFilter: 2_000, CorrelationFilter: 100_000}
"""How many rules of a kind the subscriptions of one topic may have together (S-73)."""


TOPIC = Kind(
    "Topic",
    no_receiving="You cannot receive from a topic: '{}'. Receive from one of its subscriptions.",
    has_dead_letters=False,
)


class Publisher:
    """Gives every message to the subscriptions whose rules ask for it; the topic keeps nothing of it (`Inbox`)."""

    __slots__ = ("_log", "_subscriptions", "settings")

    def __init__(
        self, log: MessageLog, subscriptions: Mapping[str, Subscription], settings: entity_settings.EntitySettings
    ) -> None:
        self._log = log
        self._subscriptions = subscriptions
        self.settings = settings

    def put(
        self,
        content: Content,
        now: float,
        event: EventKind = EventKind.ENQUEUED,  # noqa: ARG002 -- a topic enqueues nothing
        details: dict[str, Any] | None = None,
        *,
        since: float | None = None,
        origin: int | None = None,
        hops: int = 0,
    ) -> Message:
        """Number a message and pass it on."""
        log, born = self._log, now if since is None else since
        number = log.number(content)
        if log.journal is not None:
            log.journal.numbered()
        default = self.settings.default_time_to_live
        if default is not None and (content.ttl is None or default < content.ttl):
            content.limit_ttl(default)
        message = Message(content, number, born, None)
        log.record(now, EventKind.PUBLISHED, message, None, details, content)
        facts = Facts(content, number, born)
        for subscription in list(self._subscriptions.values()):
            if subscription.offer(facts, now, born, number if origin is None else origin, hops):
                subscription.dispatch.pump()
        return message


class Topic(Queue):
    """Keeps scheduled messages and the duplicate history; everything else is passed on at once."""

    settings: entity_settings.Topic

    def __init__(self, name: str, settings: entity_settings.Topic, surroundings: Surroundings) -> None:
        self.subscriptions: dict[str, Subscription] = {}
        self._surroundings = surroundings
        super().__init__(
            name, settings, surroundings, TOPIC, inbox=lambda topic: Publisher(topic.log, self.subscriptions, settings)
        )

    def subscribe(self, name: str, settings: entity_settings.Subscription) -> Subscription:
        """Add a subscription for messages to come. Raises `EntityExists` or `QuotaExceeded`."""
        if name.lower() in self.subscriptions:
            raise EntityExists(f"The subscription '{name}' of '{self.name}' exists already.")
        if len(self.subscriptions) >= MAX_SUBSCRIPTIONS:
            raise QuotaExceeded(f"The topic '{self.name}' has {MAX_SUBSCRIPTIONS} subscriptions: no more are taken.")
        partitioned = self.log.partitions is not None
        path = f"{self.name}/Subscriptions/{name}"
        subscription = Subscription(path, settings, self._surroundings, partitioned=partitioned)
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

    def last_used(self) -> float | None:
        """Return when it, or one of its subscriptions, was used last; None while one is in use."""
        moments = [super().last_used(), *(subscription.last_used() for subscription in self.subscriptions.values())]
        known = [moment for moment in moments if moment is not None]
        return max(known) if len(known) == len(moments) else None

    def stored_bytes(self) -> int:
        """Return the size of what is scheduled and of the fullest subscription: a message counts once, not once a copy."""
        return self.log.size_in_bytes + max((s.log.size_in_bytes for s in self.subscriptions.values()), default=0)
