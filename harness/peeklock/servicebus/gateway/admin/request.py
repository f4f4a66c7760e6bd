"""One request to the administration API: who asks, for which entity, and the answer (S-81 to S-83, S-86)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote
from xml.etree.ElementTree import Element

from peeklock.servicebus import entity_settings
from peeklock.servicebus.auth import AccessRule
from peeklock.servicebus.broker import BrokerError, Queue
from peeklock.servicebus.broker.errors import ArgumentError, EntityNotFound
from peeklock.servicebus.broker.rules import CorrelationFilter, Rule
from peeklock.servicebus.broker.rules.errors import RuleInvalid
from peeklock.servicebus.gateway.administration import Administration
from peeklock.servicebus.gateway.context import NamespaceContext
from peeklock.servicebus.settings import TopologyError
from peeklock.servicebus.topology import Topology, missing_target

from .document import add, described, entry, feed, read_description, render
from .entities import Record, access_rules, read_entity, write_entity
from .rules import KIND, read_rule, write_rule
from .spans import write_moment

if TYPE_CHECKING:
    from peeklock.servicebus.broker.subscription import Subscription
    from peeklock.servicebus.broker.topic import Topic

PAGE = 100
_FILTER_COUNTS_SINCE = "2024-05"
_NAMESPACE = (
    "Alias", "CreatedTime", "MessagingSKU", "MessagingUnits", "ModifiedTime", "Name", "NamespaceType",
)  # fmt: skip
_AS_THEY_ARE = "/$"
Item = TypeVar("Item")
Reply = tuple[int, bytes]


class AdminRequest:
    """A request whose sender may manage the namespace, or the entity at `path`."""

    def __init__(
        self,
        context: NamespaceContext,
        administration: Administration,
        method: str,
        parts: Sequence[str],
        query: Mapping[str, Sequence[str]],
        base: str,
        allow_forward: Callable[[str, str], None] | None = None,
    ) -> None:
        """`base` is the address under which the client knows this server, such as `https://localhost:5672`;
        `allow_forward(setting, target)` raises unless the sender may let an entity forward there (S-68)."""
        self._allow_forward = allow_forward
        self._context = context
        self._administration = administration
        self._namespace = context.namespace
        self._method = method
        self._parts = list(parts)
        self._query = query
        self._base = base
        self._records = administration.records
        self._now = context.namespace.clock.now()

    @property
    def path(self) -> str:
        """What the request is about: an entity, or a list. A token for just that is enough, and so is a wider one."""
        return "/".join(self._parts)

    def answer(self, body: bytes, *, replaces: bool) -> Reply:
        """Do what is asked for; `replaces` says that an entity has to be there already. Raises `BrokerError`."""
        lowered = [part.lower() for part in self._parts]
        try:
            match lowered:
                case ["$namespaceinfo"] if self._method == "GET":
                    return 200, render(self._namespace_info())
                case ["$resources", "queues"] if self._method == "GET":
                    return self._list("Queues", self._sorted(self._namespace.queues), self._queue_entry)
                case ["$resources", "topics"] if self._method == "GET":
                    return self._list("Topics", self._sorted(self._namespace.topics), self._topic_entry)
            if "subscriptions" in lowered[1:]:
                at = lowered.index("subscriptions", 1)
                return self._below_topic("/".join(self._parts[:at]), self._parts[at + 1 :], body, replaces=replaces)
            return self._entity("/".join(self._parts), body, replaces=replaces)
        except (TopologyError, RuleInvalid) as error:
            raise ArgumentError(f"{error.problem} {error.fix}".strip()) from None

    # -- the namespace and its lists

    def _namespace_info(self) -> Element:
        name, started = self._namespace.name, write_moment(self._administration.started_at)
        texts = ("", started, self._administration.topology.sku, "0", started, name, "Messaging")
        info = described("NamespaceInfo")
        for tag, text in zip(_NAMESPACE, texts, strict=True):
            add(info, tag, text)
        uri = f"{self._base}/$namespaceinfo"
        return entry(uri, name, self._administration.started_at, self._administration.started_at, info, author=name)

    @staticmethod
    def _sorted(entities: Mapping[str, Item]) -> list[Item]:
        return [entities[name] for name in sorted(entities)]

    def _list(self, title: str, items: Sequence[Item], write: Callable[[Item], Element]) -> Reply:
        skip, top = self._page("$skip", 0), min(self._page("$top", PAGE), PAGE)
        shown = items[skip : skip + top]
        uri = f"{self._base}/{quote('/'.join(self._parts))}"
        following = None
        if top and skip + top < len(items):
            version = quote(self._query.get("api-version", [""])[0])
            following = f"{uri}?api-version={version}&enrich=False&$skip={skip + top}&$top={top}"
        return 200, render(feed(uri, title, self._now, map(write, shown), following))

    def _page(self, name: str, default: int) -> int:
        text = self._query.get(name, [str(default)])[0]
        if not text.isdecimal() or len(text) > 9:
            raise ArgumentError(f"The value '{text[:20]}' of the query parameter '{name}' is no number from 0 on.")
        return int(text)

    def _nothing(self) -> Reply:
        """Answer as the service does for what is not there: with an empty feed (S-83)."""
        return 200, render(
            feed(f"{self._base}/{quote('/'.join(self._parts))}", "Publicly Listed Services", self._now, ())
        )

    # -- queues and topics

    def _entity(self, name: str, body: bytes, *, replaces: bool) -> Reply:
        queue: Queue | None = self._namespace.queues.get(name.lower())
        topic = self._namespace.topics.get(name.lower())
        match self._method:
            case "GET" if queue is not None:
                return 200, render(self._queue_entry(queue))
            case "GET" if topic is not None:
                return 200, render(self._topic_entry(topic))
            case "GET":
                return self._nothing()
            case "DELETE":
                self._delete(name)
                return 200, b""
        kind = "TopicDescription" if b"TopicDescription" in body else "QueueDescription"
        existing = topic if kind == "TopicDescription" else queue
        settings, record = self._described(kind, body, existing, name, replaces=replaces)
        if existing is not None and replaces:
            self._change(existing, settings)
            made: Queue = existing
        elif kind == "TopicDescription":
            made = self._namespace.add_topic(name, settings)
        else:
            made = self._namespace.add_queue(name, settings)
        self._keep(made, record)
        if kind == "TopicDescription":
            return (200 if replaces else 201), render(self._topic_entry(self._namespace.topics[name.lower()]))
        return (200 if replaces else 201), render(self._queue_entry(made))

    def _described(
        self, kind: str, body: bytes, existing: Queue | None, name: str, *, replaces: bool
    ) -> tuple[Any, Record]:
        """Read a description, and check it as a topology is checked."""
        if replaces and existing is None:
            raise EntityNotFound(f"The messaging entity '{name}' could not be found.")
        old = (existing.settings, self._record(existing)) if existing is not None and replaces else None
        premium = self._administration.topology.sku == "Premium"
        settings, record, _ = read_entity(kind, read_description(body, kind), old, self._now, premium=premium)
        for setting in ("forward_to", "forward_dead_lettered_messages_to"):
            target = getattr(settings, setting, None)
            if target and self._allow_forward is not None:
                self._allow_forward(setting, target)
        self._check(kind, name, settings)
        return settings, record

    def _check(self, kind: str, name: str, settings: Any) -> None:
        wrong = missing_target(settings, {*self._namespace.queues, *self._namespace.topics})
        if wrong is not None:
            raise ArgumentError(f"The forwarding target '{wrong[1]}' could not be found.")
        if kind == "TopicDescription":
            Topology(topics={name: settings})
            return
        free = replace(settings, forward_to=None, forward_dead_lettered_messages_to=None)
        if kind == "QueueDescription":
            Topology(queues={name: free})
        else:
            Topology(topics={"t": entity_settings.Topic(subscriptions={name.rpartition("/")[2]: free})})

    def _change(self, entity: Queue, settings: Any) -> None:
        self._namespace.reconfigure(entity, settings)
        self._administration.set_status(entity.name, settings.status)

    def _keep(self, entity: Queue, record: Record) -> None:
        self._records[entity.name.lower()] = record
        self._context.tokens.set_rules(entity.name, access_rules(entity.name, record))
        self._administration.refresh_faults()
        self._administration.redescribe(entity)
        self._context.turns.end()

    def _delete(self, path: str) -> None:
        gone = self._namespace.entity(path)
        if gone.is_dead_letter:
            raise EntityNotFound(f"The messaging entity '{path}' could not be found.")
        self._administration.remove(gone.name)

    def _record(self, entity: Queue) -> Record:
        started = self._administration.started_at
        record = self._records.get(entity.name.lower())
        if record is None:
            record = Record(started, started)
            rules: list[AccessRule] = self._context.tokens.rules_of(entity.name)
            record.authorization = [
                {"KeyName": rule.name, "PrimaryKey": rule.key, "Rights": list(rule.rights)} for rule in rules
            ]
            self._records[entity.name.lower()] = record
        return record

    def _entity_entry(self, kind: str, entity: Queue, title: str, counts: Mapping[str, str]) -> Element:
        record = self._record(entity)
        content = write_entity(kind, entity, record, counts, sizes=kind != "SubscriptionDescription")
        return entry(
            self._uri(entity.name), title, record.created, record.updated, content, author=self._namespace.name
        )

    def _uri(self, path: str) -> str:
        # @azure/service-bus takes names out of these, and does not decode them: $Default stays $Default
        return f"{self._base}/{quote(path, safe=_AS_THEY_ARE)}?api-version={quote(self._query.get('api-version', [''])[0])}"

    def _queue_entry(self, queue: Queue) -> Element:
        return self._entity_entry("QueueDescription", queue, queue.name, {})

    def _topic_entry(self, topic: Topic) -> Element:
        counts = {"SubscriptionCount": str(len(topic.subscriptions))}
        if self._query.get("api-version", [""])[0] >= _FILTER_COUNTS_SINCE:
            filters = [rule.filter for known in topic.subscriptions.values() for rule in known.rules.values()]
            correlations = sum(isinstance(condition, CorrelationFilter) for condition in filters)
            counts["CorrelationFilterCount"] = str(correlations)
            counts["SqlFilterCount"] = str(len(filters) - correlations)
        return self._entity_entry("TopicDescription", topic, topic.name, counts)

    # -- subscriptions and rules

    def _below_topic(self, topic_name: str, rest: list[str], body: bytes, *, replaces: bool) -> Reply:
        topic = self._namespace.topics.get(topic_name.lower())
        if topic is None:
            if self._method == "GET" and len(rest) % 2:
                return self._nothing()
            raise EntityNotFound(f"The messaging entity '{topic_name}' could not be found.")
        if not rest:
            self._only_get()
            return self._list("Subscriptions", self._sorted(topic.subscriptions), self._subscription_entry)
        subscription = topic.subscriptions.get(rest[0].lower())
        if len(rest) == 1:
            return self._subscription(topic, rest[0], subscription, body, replaces=replaces)
        if rest[1].lower() != "rules":
            raise EntityNotFound(f"There is nothing at '{'/'.join(self._parts)}'.")
        if subscription is None:
            if self._method == "GET" and len(rest) > 2:
                return self._nothing()
            raise EntityNotFound(f"The messaging entity '{topic_name}/Subscriptions/{rest[0]}' could not be found.")
        if len(rest) == 2:
            self._only_get()
            rules = list(subscription.listed_rules())
            return self._list("Rules", rules, lambda rule: self._rule_entry(subscription, rule))
        return self._rule(subscription, "/".join(rest[2:]), body, replaces=replaces)

    def _only_get(self) -> None:
        if self._method != "GET":
            raise ArgumentError(f"The specified HTTP verb ({self._method}) is not valid for a list.")

    def _subscription(
        self, topic: Topic, name: str, subscription: Subscription | None, body: bytes, *, replaces: bool
    ) -> Reply:
        match self._method:
            case "GET":
                return (
                    self._nothing() if subscription is None else (200, render(self._subscription_entry(subscription)))
                )
            case "DELETE":
                self._delete(f"{topic.name}/Subscriptions/{name}")
                return 200, b""
        kind, path = "SubscriptionDescription", f"{topic.name}/Subscriptions/{name}"
        settings, record = self._described(kind, body, subscription, path, replaces=replaces)
        if subscription is not None and replaces:
            self._change(subscription, settings)
        else:
            first = read_description(body, kind).find("{*}DefaultRuleDescription")
            rule = Rule("$Default", created_at=self._now)
            if first is not None:
                given = first.findtext("{*}Name") or "$Default"
                rule = read_rule(given, first, self._now)
            subscription = self._namespace.add_subscription(topic, name, replace(settings, rules={}))
            subscription.add_rule(rule)
        self._keep(subscription, record)
        return (200 if replaces else 201), render(self._subscription_entry(subscription))

    def _subscription_entry(self, subscription: Subscription) -> Element:
        title = subscription.name.rpartition("/")[2]
        return self._entity_entry("SubscriptionDescription", subscription, title, {})

    def _rule(self, subscription: Subscription, name: str, body: bytes, *, replaces: bool) -> Reply:
        known = subscription.rules.get(name.lower())
        match self._method:
            case "GET":
                return self._nothing() if known is None else (200, render(self._rule_entry(subscription, known)))
            case "DELETE":
                subscription.remove_rule(name)
                return 200, b""
        if replaces and known is None:
            raise EntityNotFound(f"The messaging entity '{subscription.name}/rules/{name}' could not be found.")
        rule = read_rule(name, read_description(body, KIND), self._now if known is None else known.created_at)
        if known is not None and replaces:
            subscription.remove_rule(known.name)
            try:
                subscription.add_rule(rule)
            except BrokerError:
                subscription.add_rule(known)
                raise
        else:
            subscription.add_rule(rule)
        return (200 if replaces else 201), render(self._rule_entry(subscription, rule))

    def _rule_entry(self, subscription: Subscription, rule: Rule) -> Element:
        uri = self._uri(f"{subscription.name}/Rules/{rule.name}")
        return entry(uri, rule.name, rule.created_at, rule.created_at, write_rule(rule))
