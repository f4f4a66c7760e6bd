"""What KEDA's scaler can see of a queue: it reads runtime properties, which takes the right Manage."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from peeklock.scenario.services import QueueRule, Service
from peeklock.scenario.topology import ServiceBus


def unseen(rule: QueueRule, bus: ServiceBus | None) -> str:
    """Return why the scaler of a rule sees nothing of its queue; empty when it sees it."""
    access = bus.access_rules.get(rule.auth) if bus is not None and rule.auth is not None else None
    if access is None:
        return ""
    if "Manage" not in access.rights:
        return (
            f"KEDA reads the queue {rule.queue} with the access rule {rule.auth}, which has "
            f"{' and '.join(access.rights)} but not Manage: it sees nothing"
        )
    entity = rule.queue.partition("/")[0].lower()
    if access.queue is not None and access.queue.lower() not in (rule.queue.lower(), entity):
        return (
            f"KEDA reads the queue {rule.queue} with the access rule {rule.auth}, which is for {access.queue}: "
            "it sees nothing"
        )
    return ""


def all_unseen(services: Mapping[str, Service], bus: ServiceBus | None) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield where each rule stands that sees nothing, as a path into the file, and why."""
    for name, service in services.items():
        if service.scale is not None:
            for index, rule in enumerate(service.scale.queues):
                if why := unseen(rule, bus):
                    yield ("services", name, "scale", *service.scale.written(index), "auth"), why
