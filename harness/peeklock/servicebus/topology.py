"""What stands in a namespace: queues, topics with their subscriptions, and the rules that give access to them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

from .auth.access_rule import RIGHTS, AccessRule
from .settings import MAX_SECONDS, TopologyError, check_names, read_object, read_settings, read_value

if TYPE_CHECKING:
    from .auth.identity import Identity
    from .broker.rules import Filter
    from .broker.rules import Rule as BrokerRule

LEAST_IDLE = 300.0
"""Seconds after which an entity that nobody uses may go, at the earliest (S-87)."""
SKUS = ("Basic", "Standard", "Premium")
STATUSES = ("Active", "Disabled", "SendDisabled", "ReceiveDisabled")
_ENTITY_NAME = re.compile(r"[A-Za-z0-9]|[A-Za-z0-9][\w\-./]*[A-Za-z0-9]")


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue's settings; durations in seconds, None for "none" (S-49, S-50, S-57)."""

    max_delivery_count: int = 10
    lock_duration: float = 60.0
    duplicate_detection_window: float | None = None
    default_time_to_live: float | None = None
    dead_lettering_on_expiration: bool = False
    requires_session: bool = False
    max_size_in_megabytes: int = 1024
    max_message_size_in_kilobytes: int = 256
    forward_to: str | None = None
    forward_dead_lettered_messages_to: str | None = None
    auto_delete_on_idle: float | None = None
    partitioned: bool = False
    status: str = "Active"


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of a subscription: one filter and perhaps an action (S-69 to S-72).

    `sql` is an expression with its `parameters`; `correlation` has some of correlation_id, message_id, to, reply_to,
    subject, session_id, reply_to_session_id, content_type and properties (a map); `matches` True or False is for every
    message or none. `action` is SQL: SET and REMOVE.
    """

    sql: str | None = None
    correlation: Mapping[str, Any] | None = None
    matches: bool | None = None
    action: str | None = None
    parameters: Mapping[str, Any] | None = None

    def build(self, name: str) -> BrokerRule:
        """Return the broker's rule. Raises `TopologyError`, or `broker.rules.RuleInvalid` for a wrong expression."""
        from .broker import rules
        from .broker.rules.actions import SqlAction

        given = [kind for kind in ("sql", "correlation", "matches") if getattr(self, kind) is not None]
        if len(given) != 1:
            raise TopologyError(
                f"rule {name!r}: has {' and '.join(given) or 'no filter'}", "give one of sql, correlation and matches"
            )
        condition: Filter
        if self.sql is not None:
            condition = rules.SqlFilter(self.sql, self.parameters)
        elif self.correlation is not None:
            system = dict(self.correlation)
            properties = system.pop("properties", None)
            condition = rules.CorrelationFilter(system, properties)
        else:
            condition = rules.TrueFilter() if self.matches else rules.FalseFilter()
        action = None if self.action is None else SqlAction(self.action, self.parameters)
        return rules.Rule(name, condition, action)


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscription's settings; durations in seconds. `rules` None is the one rule $Default, for every message (S-69)."""

    partitioned: ClassVar[bool] = False
    duplicate_detection_window: ClassVar[float | None] = None
    max_size_in_megabytes: ClassVar[int] = 1 << 20
    max_message_size_in_kilobytes: ClassVar[int] = 1 << 20

    max_delivery_count: int = 10
    lock_duration: float = 60.0
    default_time_to_live: float | None = None
    dead_lettering_on_expiration: bool = False
    dead_lettering_on_filter_evaluation_exceptions: bool = True
    requires_session: bool = False
    forward_to: str | None = None
    forward_dead_lettered_messages_to: str | None = None
    auto_delete_on_idle: float | None = None
    status: str = "Active"
    rules: Mapping[str, Rule] | None = None

    def build_rules(self) -> list[BrokerRule]:
        """Return the broker's rules. Raises as `Rule.build` does."""
        given = {"$Default": Rule(matches=True)} if self.rules is None else self.rules
        return [rule.build(name) for name, rule in given.items()]


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic's settings and its subscriptions by name; durations in seconds, None for "none"."""

    max_delivery_count: ClassVar[int] = 10
    lock_duration: ClassVar[float] = 60.0
    dead_lettering_on_expiration: ClassVar[bool] = False
    requires_session: ClassVar[bool] = False
    forward_to: ClassVar[str | None] = None
    forward_dead_lettered_messages_to: ClassVar[str | None] = None

    subscriptions: Mapping[str, Subscription] = field(default_factory=dict)
    duplicate_detection_window: float | None = None
    default_time_to_live: float | None = None
    max_size_in_megabytes: int = 1024
    max_message_size_in_kilobytes: int = 256
    auto_delete_on_idle: float | None = None
    partitioned: bool = False
    status: str = "Active"


@dataclass(frozen=True, slots=True)
class Topology:
    """Queues and topics by name, access rules (the root rule of the official emulator when none is given), and a port
    (0: free). `sku` Premium allows messages of up to 100 MB. `identity` says which Entra tokens are taken, and what for."""

    queues: Mapping[str, Queue] = field(default_factory=dict)
    access_rules: tuple[AccessRule, ...] = (AccessRule(),)
    port: int = 0
    topics: Mapping[str, Topic] = field(default_factory=dict)
    sku: str = "Standard"
    identity: Identity | None = None

    def __post_init__(self) -> None:
        check(self)

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` reads as this topology."""
        return asdict(self) | {
            "access_rules": [asdict(rule) | {"rights": list(rule.rights)} for rule in self.access_rules]
        }

    @classmethod
    def from_json(cls, body: Any) -> Topology:
        """Read the control API's topology. Raises `TopologyError` with the path of what is wrong."""
        document = read_object(body, "the topology")
        check_names(document, ("queues", "topics", "access_rules", "port", "sku", "identity"), "the topology")
        queues = {
            str(name): read_settings(Queue, settings, f"queues.{name}")
            for name, settings in read_object(document.get("queues", {}), "queues").items()
        }
        topics = {
            str(name): _topic(settings, f"topics.{name}")
            for name, settings in read_object(document.get("topics", {}), "topics").items()
        }
        rules = document.get("access_rules")
        if rules is not None and not isinstance(rules, list):
            raise TopologyError(f"access_rules: expected a list, got {type(rules).__name__}", "write [{...}]")
        port = read_value(document.get("port", 0), "int", "port")
        sku = read_value(document.get("sku", "Standard"), "str", "sku")
        identity = None
        if document.get("identity") is not None:
            from .auth.identity import read_identity

            identity = read_identity(document["identity"])
        if rules is None:
            return cls(queues=queues, topics=topics, port=port, sku=sku, identity=identity)
        built = []
        for index, rule in enumerate(rules):
            values = dict(read_object(rule, f"access_rules[{index}]"))
            rights = values.get("rights", list(RIGHTS))
            if not isinstance(rights, list) or not all(isinstance(right, str) for right in rights):
                raise TopologyError(f"access_rules[{index}].rights: expected a list of names", f"use {list(RIGHTS)}")
            values["rights"] = tuple(rights)
            built.append(read_settings(AccessRule, values, f"access_rules[{index}]"))
        return cls(queues=queues, topics=topics, access_rules=tuple(built), port=port, sku=sku, identity=identity)


def check(topology: Topology) -> None:
    """Raise `TopologyError` for names and numbers that Service Bus would refuse, and for what is not built yet."""
    if topology.sku not in SKUS:
        raise TopologyError(f"sku is {topology.sku!r}", f"use one of {', '.join(SKUS)}")
    if not 0 <= topology.port <= 65_535:
        raise TopologyError(f"port is {topology.port}, expected 0 to 65535", "use 0 for a free one")
    names = [*topology.queues, *topology.topics]
    for kind, name, queue in _entities(topology):
        last = name.rpartition("/Subscriptions/")[2] if kind == "subscription" else name
        part = kind == "subscription"
        if not _ENTITY_NAME.fullmatch(last) or len(last) > (50 if part else 260) or (part and "/" in last):
            raise TopologyError(
                f"{kind} {name!r}: the name is not allowed",
                "use letters, digits, '-', '_' and '.', at most 260 (50 for a subscription), with a letter or digit at both "
                "ends; '/' may stand in the names of queues and topics",
            )
        _check_forwards(kind, name, queue, names)
        for label, value, least in (
            ("max_delivery_count", queue.max_delivery_count, 1),
            ("lock_duration", queue.lock_duration, 0.001),
            ("duplicate_detection_window", queue.duplicate_detection_window, 0.001),
            ("default_time_to_live", queue.default_time_to_live, 0.001),
            ("auto_delete_on_idle", queue.auto_delete_on_idle, LEAST_IDLE),
            ("max_size_in_megabytes", queue.max_size_in_megabytes, 1),
            ("max_message_size_in_kilobytes", queue.max_message_size_in_kilobytes, 1),
        ):
            if value is not None and not value >= least:  # NaN is neither
                raise TopologyError(f"{kind} {name!r}: {label} is {value}, expected {least} or more", "give it more")
            if value is not None and value > MAX_SECONDS:
                raise TopologyError(
                    f"{kind} {name!r}: {label} is {value}, expected {MAX_SECONDS:.0f} or less", "give it less"
                )
    lowered = [name.lower() for name in names]
    for topic_name, topic in topology.topics.items():
        lowered += [f"{topic_name}/subscriptions/{name}".lower() for name in topic.subscriptions]
    seen: set[str] = set()
    for name in lowered:
        if name in seen:
            raise TopologyError(f"{name!r} is there twice: names are case-insensitive", "rename one of them")
        seen.add(name)
    for rule in topology.access_rules:
        if not rule.name or not rule.key:
            raise TopologyError("an access rule has no name or no key", "give both")
        unknown = [right for right in rule.rights if right not in RIGHTS]
        if unknown or not rule.rights:
            raise TopologyError(f"access rule {rule.name!r}: rights {list(rule.rights)}", f"use some of {list(RIGHTS)}")
        if rule.entity is not None and rule.entity.lower() not in seen:
            raise TopologyError(
                f"access rule {rule.name!r}: there is no queue {rule.entity!r}, nor a topic", "name a queue or a topic"
            )


def _entities(topology: Topology) -> Iterator[tuple[str, str, Queue | Topic | Subscription]]:
    for name, queue in topology.queues.items():
        yield "queue", name, queue
    for name, topic in topology.topics.items():
        yield "topic", name, topic
        for subscription_name, subscription in topic.subscriptions.items():
            yield "subscription", f"{name}/Subscriptions/{subscription_name}", subscription


def _check_forwards(kind: str, name: str, settings: Queue | Topic | Subscription, names: list[str]) -> None:
    """Raise `TopologyError` for a status that is none, a forward that leads nowhere, and a rule that cannot be (S-67)."""
    if settings.status not in STATUSES:
        raise TopologyError(f"{kind} {name!r}: status is {settings.status!r}", f"use one of {', '.join(STATUSES)}")
    if (wrong := missing_target(settings, names)) is not None:
        setting, target = wrong
        raise TopologyError(
            f"{kind} {name!r}: {setting} is {target!r}, which is no queue or topic here", "name one, or leave it out"
        )
    if isinstance(settings, Subscription) and settings.rules:
        _check_rules(name, settings.rules)


def missing_target(settings: Any, names: Iterable[str]) -> tuple[str, str] | None:
    """Return the setting that forwards to what is none of the queues and topics `names`, and to what; None when all is well.

    The service asks for no more, as the SDK's live tests show (mgmt_tests/test_mgmt_queues.py): it takes an entity that
    forwards to itself, whose messages end in its dead-letter queue by their hops, and one that forwards and requires sessions,
    which keeps its messages (S-67).
    """
    known = {name.lower() for name in names}
    for setting in ("forward_to", "forward_dead_lettered_messages_to"):
        target: str | None = getattr(settings, setting)
        if target is not None:
            local = target.rpartition("://")[2].partition("/")[2] if "://" in target else target
            if local.strip("/").lower() not in known:
                return setting, target
    return None


def _check_rules(name: str, given: Mapping[str, Rule]) -> None:
    from .broker.rules import RuleInvalid

    for rule_name, rule in given.items():
        try:
            rule.build(rule_name)
        except RuleInvalid as error:
            raise TopologyError(f"subscription {name!r}, rule {rule_name!r}: {error.problem}", error.fix) from None
        except TopologyError as error:
            raise TopologyError(f"subscription {name!r}, {error.problem}", error.fix) from None
    lowered = [rule_name.lower() for rule_name in given]
    if len(set(lowered)) < len(lowered):
        raise TopologyError(f"subscription {name!r}: two rules have one name", "names are case-insensitive: rename one")


def _topic(settings: Any, where: str) -> Topic:
    values = dict(read_object(settings, where))
    subscriptions = read_object(values.pop("subscriptions", {}), f"{where}.subscriptions")
    topic: Topic = read_settings(Topic, values, where)
    built = {str(name): _subscription(item, f"{where}.subscriptions.{name}") for name, item in subscriptions.items()}
    return replace(topic, subscriptions=built)


def _subscription(settings: Any, where: str) -> Subscription:
    values = dict(read_object(settings, where))
    given = values.pop("rules", None)
    subscription: Subscription = read_settings(Subscription, values, where)
    if given is None:
        return subscription
    built = {
        str(name): _rule(item, f"{where}.rules.{name}") for name, item in read_object(given, f"{where}.rules").items()
    }
    return replace(subscription, rules=built)


def _rule(settings: Any, where: str) -> Rule:
    if isinstance(settings, bool):
        return Rule(matches=settings)
    values = dict(read_object(settings, where))
    maps: dict[str, Any] = {}
    for key in ("correlation", "parameters"):
        if values.get(key) is not None:
            maps[key] = dict(read_object(values.pop(key), f"{where}.{key}"))
    correlation = maps.get("correlation", {})
    if correlation.get("properties") is not None:
        correlation["properties"] = dict(read_object(correlation["properties"], f"{where}.correlation.properties"))
    for key, value in correlation.items():
        if key != "properties" and not isinstance(value, str | None):
            raise TopologyError(f"{where}.correlation.{key}: expected text, got {value!r}", "write it in quotes")
    rule: Rule = read_settings(Rule, values, where)
    return replace(rule, **maps)
