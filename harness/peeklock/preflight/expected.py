"""What a scenario file says must be there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from peeklock.preflight.facts import Columns
from peeklock.scenario.model import Scenario


@dataclass(frozen=True, slots=True)
class Schema:
    """Tables as the migrations leave them, and where those are."""

    where: str
    tables: Mapping[str, Columns]
    revisions: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Expected:
    """Entities and containers of a file, each with the place in the file that names it."""

    entities: Mapping[str, str] = field(default_factory=dict)
    """Queues, topics, and subscriptions by their paths."""
    rules: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Of subscriptions that declare any."""
    consumers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Who receives from an entity, where the file says so."""
    containers: Mapping[str, str] = field(default_factory=dict)
    schema: Schema | None = None


def expected_of(scenario: Scenario, schema: Schema | None = None) -> Expected:
    """Return what a file declares."""
    stack = scenario.header.stack
    entities: dict[str, str] = {}
    rules: dict[str, dict[str, str]] = {}
    consumers: dict[str, tuple[str, ...]] = {}
    if (bus := stack.servicebus) is not None:
        root = ("stack", "servicebus")
        entities |= {name: scenario.place((*root, "queues", name)) for name in bus.queues}
        for topic, facts in bus.topics.items():
            entities[topic] = scenario.place((*root, "topics", topic))
            for name, each in facts.subscriptions.items():
                path = (*root, "topics", topic, "subscriptions", name)
                whole = f"{topic}/Subscriptions/{name}"
                entities[whole] = scenario.place(path)
                if each.rules:
                    rules[whole] = {rule: scenario.place((*path, "rules", rule)) for rule in each.rules}
        consumers = {name: tuple(each.consumers) for name, each in bus.receivable().items() if each.consumers}
    blobs = stack.blobs.containers if stack.blobs is not None else []
    containers = {name: scenario.place(("stack", "blobs", "containers", index)) for index, name in enumerate(blobs)}
    return Expected(entities, rules, consumers, containers, schema)
