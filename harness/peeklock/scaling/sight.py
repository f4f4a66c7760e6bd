"""What KEDA's scaler can see of a queue: it reads runtime properties, which takes the right Manage."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from peeklock.scenario.roles import part_of
from peeklock.scenario.services import QueueRule, Service
from peeklock.scenario.topology import Stack

OWNER = "Azure Service Bus Data Owner"
"""The one role on data that has the right Manage."""


def unseen(rule: QueueRule, stack: Stack, roles: Callable[[str], Iterable[tuple[str, str]]] | None = None) -> str:
    """Return why the scaler of a rule sees nothing of its queue; empty when it sees it.

    `roles` has the roles of an identity, each with what it is on ("" for everything); absent: those that are declared.
    """
    if rule.identity is not None:
        declared = [(each.role, each.on or "") for each in stack.identities.get(rule.identity, ())]
        return _of_identity(rule, rule.identity, declared if roles is None else roles(rule.identity))
    bus = stack.servicebus
    access = bus.access_rules.get(rule.auth) if bus is not None and rule.auth is not None else None
    if access is None:
        return ""
    if "Manage" not in access.rights:
        return (
            f"KEDA reads the queue {rule.queue} with the access rule {rule.auth}, which has "
            f"{' and '.join(access.rights)} but not Manage: it sees nothing"
        )
    if not _holds(rule, access.queue or ""):
        return (
            f"KEDA reads the queue {rule.queue} with the access rule {rule.auth}, which is for {access.queue}: "
            "it sees nothing"
        )
    return ""


def _of_identity(rule: QueueRule, identity: str, roles: Iterable[tuple[str, str]]) -> str:
    here = [role for role, on in roles if part_of(role) == "servicebus" and _holds(rule, on)]
    if OWNER in here:
        return ""
    return (
        f"KEDA reads the queue {rule.queue} as the identity {identity}, which has {' and '.join(here) or 'no role'} "
        f"on it but not {OWNER}: it sees nothing"
    )


def _holds(rule: QueueRule, scope: str) -> bool:
    return scope.lower() in ("", rule.queue.lower(), rule.queue.partition("/")[0].lower())


def all_unseen(services: Mapping[str, Service], stack: Stack) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield where each rule stands that sees nothing, as a path into the file, and why."""
    for name, service in services.items():
        if service.scale is not None:
            for index, rule in enumerate(service.scale.queues):
                if why := unseen(rule, stack):
                    key = "auth" if rule.identity is None else "identity"
                    yield ("services", name, "scale", *service.scale.written(index), key), why
