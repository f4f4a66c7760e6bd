"""Locks of minutes, made short: a late answer can outlast them, and so can a holder that does not renew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

from peeklock.scenario.model import Scenario
from peeklock.scenario.topology import Receivable

SHORT = 5.0
"""Seconds that a lock lasts at most."""
T = TypeVar("T", bound=Receivable)


def shortened(scenario: Scenario) -> Scenario:
    """Return it with no lock that is longer than `SHORT`, unless its file wants them as they are."""
    header = scenario.header
    bus = header.stack.servicebus
    if bus is None or not header.explore.short_locks:
        return scenario
    topics = {
        name: topic.model_copy(update={"subscriptions": _short(topic.subscriptions)})
        for name, topic in bus.topics.items()
    }
    stack = header.stack.model_copy(
        update={"servicebus": bus.model_copy(update={"queues": _short(bus.queues), "topics": topics})}
    )
    return replace(scenario, header=header.model_copy(update={"stack": stack}))


def written(scenario: Scenario, as_written: Scenario) -> dict[str, Any]:
    """Return what a file says under `stack.servicebus` to have the locks of one where another has its own."""
    bus, before = scenario.header.stack.servicebus, as_written.header.stack.servicebus
    if bus is None or before is None:
        return {}
    found: dict[str, Any] = {}
    if queues := _changed(bus.queues, before.queues):
        found["queues"] = queues
    for name, topic in bus.topics.items():
        if subscriptions := _changed(topic.subscriptions, before.topics[name].subscriptions):
            found.setdefault("topics", {})[name] = {"subscriptions": subscriptions}
    return found


def _short(entities: Mapping[str, T]) -> dict[str, T]:
    return {
        name: each.model_copy(update={"lock_duration": min(each.lock_duration, SHORT)})
        for name, each in entities.items()
    }


def _changed(entities: Mapping[str, Receivable], before: Mapping[str, Receivable]) -> dict[str, Any]:
    return {
        name: {"lock_duration": f"{each.lock_duration:g}s"}
        for name, each in entities.items()
        if each.lock_duration != before[name].lock_duration
    }
