"""What stands in a namespace: queues, topics with their subscriptions, and the rules that give access to them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from .auth.access_rule import RIGHTS, AccessRule
from .auth.identity import Identity, read_identity
from .broker.rules import RuleInvalid
from .broker.rules.building import build
from .entity_settings import (
    MAX_SUBSCRIPTIONS,
    EntitySettings,
    Queue,
    Rule,
    Subscription,
    Topic,
    out_of_range,
    settings_of,
)
from .settings import TopologyError, check_names, read_object, read_settings, read_value

_LAST_PORT = 65_535
SKUS = ("Basic", "Standard", "Premium")
_NAME = re.compile(r"[A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9_\-.~/]*[A-Za-z0-9]")
_SUBSCRIPTION_NAME = re.compile(r"[A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9_\-.]*[A-Za-z0-9]")


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
    if not 0 <= topology.port <= _LAST_PORT:
        raise TopologyError(f"port is {topology.port}, expected 0 to {_LAST_PORT}", "0 is a free one")
    names = [*topology.queues, *topology.topics]
    known = {name.lower() for name in names}
    for kind, name, queue in _entities(topology):
        last = name.rpartition("/Subscriptions/")[2] if kind == "subscription" else name
        pattern, most = (_SUBSCRIPTION_NAME, 50) if kind == "subscription" else (_NAME, 260)
        if not pattern.fullmatch(last) or len(last) > most:
            raise TopologyError(
                f"{kind} {name!r}: the name is not allowed",
                "use letters, digits, '-', '_' and '.', at most 260 (50 for a subscription), with a letter or digit at both "
                "ends; '/' and '~' may stand in the names of queues and topics",
            )
        _check_forwards(kind, name, queue, known)
        if isinstance(queue, Topic) and len(queue.subscriptions) > MAX_SUBSCRIPTIONS:
            raise TopologyError(
                f"topic {name!r}: {len(queue.subscriptions)} subscriptions, expected {MAX_SUBSCRIPTIONS} at most",
                "leave some out",
            )
        for setting in settings_of(type(queue)):
            value = getattr(queue, setting.name)
            if (expected := out_of_range(setting, value)) is not None:
                raise TopologyError(
                    f"{kind} {name!r}: {setting.name} is {value!r}, expected {expected}", "give it another value"
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


def _entities(topology: Topology) -> Iterator[tuple[str, str, EntitySettings]]:
    for name, queue in topology.queues.items():
        yield "queue", name, queue
    for name, topic in topology.topics.items():
        yield "topic", name, topic
        for subscription_name, subscription in topic.subscriptions.items():
            yield "subscription", f"{name}/Subscriptions/{subscription_name}", subscription


def _check_forwards(kind: str, name: str, settings: EntitySettings, known: Collection[str]) -> None:
    """Raise `TopologyError` for a forward that leads nowhere, and a rule that cannot be (S-67)."""
    if (wrong := missing_target(settings, known)) is not None:
        setting, target = wrong
        raise TopologyError(
            f"{kind} {name!r}: {setting} is {target!r}, which is no queue or topic here", "name one, or leave it out"
        )
    if isinstance(settings, Subscription) and settings.rules:
        _check_rules(name, settings.rules)


def missing_target(settings: Any, known: Collection[str]) -> tuple[str, str] | None:
    """Return the setting that forwards to what is none of the queues and topics `known`, in lower case, and to what; None
    when all is well.

    The service asks for no more, as the SDK's live tests show (mgmt_tests/test_mgmt_queues.py): it takes an entity that
    forwards to itself, whose messages end in its dead-letter queue by their hops, and one that forwards and requires sessions,
    which keeps its messages (S-67).
    """
    for setting in ("forward_to", "forward_dead_lettered_messages_to"):
        target: str | None = getattr(settings, setting)
        if target is not None:
            local = target.rpartition("://")[2].partition("/")[2] if "://" in target else target
            if local.strip("/").lower() not in known:
                return setting, target
    return None


def _check_rules(name: str, given: Mapping[str, Rule]) -> None:
    for rule_name, rule in given.items():
        try:
            build(rule_name, rule)
        except RuleInvalid as error:
            raise TopologyError(f"subscription {name!r}, rule {rule_name!r}: {error.problem}", error.fix) from None
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
