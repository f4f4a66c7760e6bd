"""A namespace that becomes what a new topology says, while its clients go on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from peeklock.servicebus.auth import AccessRule, Identity
from peeklock.servicebus.broker.rules.building import build_all
from peeklock.servicebus.broker.subscription import Subscription as BrokerSubscription
from peeklock.servicebus.entity_settings import Subscription, Topic, settings_of
from peeklock.servicebus.gateway.administration import Administration
from peeklock.servicebus.settings import TopologyError
from peeklock.servicebus.topology import Topology


@dataclass(slots=True)
class Changes:
    """The paths of the entities that were made, changed and deleted."""

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)


def apply(administration: Administration, wanted: Topology) -> Changes:
    """Make what a namespace's topology declares what `wanted` declares; what was made by an administration client meanwhile
    stays, and messages do. Raises `TopologyError`, before anything is changed, for what cannot be changed."""
    before = administration.topology
    if before.sku != wanted.sku:
        raise TopologyError("sku: it cannot be changed while the namespace runs", "start it anew")
    if _trust(before.identity) != _trust(wanted.identity):
        raise TopologyError("identity: only its roles can be changed while the namespace runs", "start it anew")
    if wanted.port not in (0, before.port, administration.context.port):
        raise TopologyError(
            f"port: expected {administration.context.port}, on which the namespace listens, got {wanted.port}",
            "start it anew",
        )
    old, new = _flat(before), _flat(wanted)
    for path, (name, settings) in new.items():
        found = _existing(administration, path)
        if found is not None:
            _check(name, found.settings, settings)
    namespace = administration.context.namespace
    there = {*namespace.queues, *namespace.topics} - ({path for path in old if "/subscriptions/" not in path} - {*new})
    namespace.admit(len(there | {path for path in new if "/subscriptions/" not in path}))
    changes = Changes()
    for path, (name, _) in old.items():
        if path not in new and _existing(administration, path) is not None:
            administration.remove(name)
            changes.removed.append(name)
    for path, (name, settings) in new.items():
        found = _existing(administration, path)
        if found is None:
            _make(administration, name, settings)
            changes.added.append(name)
        elif _differs(old.get(path, (name, None))[1], settings):
            _change(administration, found, old.get(path, (name, None))[1], settings)
            changes.changed.append(name)
    _grant(administration, before.access_rules, wanted.access_rules)
    if wanted.identity is not None and before.identity != wanted.identity:
        administration.context.tokens.assign(wanted.identity.roles)
    administration.adopt(replace(wanted, port=before.port))
    return changes


def _trust(identity: Identity | None) -> Identity | None:
    """Return whose tokens are taken, whatever they are worth."""
    return None if identity is None else replace(identity, roles=())


def _flat(topology: Topology) -> dict[str, tuple[str, Any]]:
    """Return names and settings by path in lower case: topics before their subscriptions."""
    found: dict[str, tuple[str, Any]] = {name.lower(): (name, queue) for name, queue in topology.queues.items()}
    for name, topic in topology.topics.items():
        found[name.lower()] = (name, topic)
        for subscription_name, subscription in topic.subscriptions.items():
            path = f"{name}/Subscriptions/{subscription_name}"
            found[path.lower()] = (path, subscription)
    return found


def _existing(administration: Administration, path: str) -> Any:
    namespace = administration.context.namespace
    topic, below, name = path.partition("/subscriptions/")
    if below and topic in namespace.topics:
        return namespace.topics[topic].subscriptions.get(name)
    return namespace.queues.get(path) or namespace.topics.get(path)


def _check(name: str, found: Any, wanted: Any) -> None:
    if isinstance(wanted, Topic) != hasattr(found, "subscriptions"):
        raise TopologyError(f"{name!r}: a queue cannot become a topic, nor a topic a queue", "take another name")
    for setting in settings_of(type(wanted)):
        was, wished = getattr(found, setting.name), getattr(wanted, setting.name)
        if setting.fixed and bool(was) != bool(wished):
            raise TopologyError(
                f"{name!r}: {setting.name} is settled when an entity is made: expected {was}, got {wished}",
                "take another name, or delete the entity first",
            )


def _differs(old: Any, new: Any) -> bool:
    if isinstance(old, Topic) and isinstance(new, Topic):
        return replace(old, subscriptions={}) != replace(new, subscriptions={})
    return bool(old != new)


def _make(administration: Administration, name: str, settings: Any) -> None:
    namespace = administration.context.namespace
    if isinstance(settings, Subscription):
        topic, _, subscription = name.partition("/Subscriptions/")
        namespace.add_subscription(namespace.topics[topic.lower()], subscription, settings)
    elif isinstance(settings, Topic):
        namespace.add_topic(name, replace(settings, subscriptions={}))  # they come by themselves
    else:
        namespace.add_queue(name, settings)


def _change(administration: Administration, entity: Any, old: Any, new: Any) -> None:
    if isinstance(new, Subscription):
        _change_rules(entity, old, new)
    administration.context.namespace.reconfigure(entity, new)
    administration.set_status(entity.name, new.status)


def _change_rules(subscription: BrokerSubscription, old: Any, new: Subscription) -> None:
    if isinstance(old, Subscription) and old.rules == new.rules:
        return
    for rule in list(subscription.rules.values()):
        subscription.remove_rule(rule.name)
    for rule in build_all(new):
        subscription.add_rule(rule)


def _grant(administration: Administration, before: tuple[AccessRule, ...], wanted: tuple[AccessRule, ...]) -> None:
    """Give the namespace, and the entities that had or get rules of their own, the rules that are wanted now."""
    scopes: Mapping[str, str] = {(rule.entity or "").lower(): rule.entity or "" for rule in (*before, *wanted)}
    for path, entity in scopes.items():
        rules = [rule for rule in wanted if (rule.entity or "").lower() == path]
        if rules != [rule for rule in before if (rule.entity or "").lower() == path]:
            administration.context.tokens.set_rules(entity, rules)
            if (record := administration.records.get(path)) is not None:  # what administrators see
                record.authorization = [
                    {"KeyName": rule.name, "PrimaryKey": rule.key, "Rights": list(rule.rights)} for rule in rules
                ]
