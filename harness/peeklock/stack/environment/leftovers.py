"""Services that still work on a message of the case before: what they send would be taken for the next one's."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from peeklock.stack.environment.services import LocalServices
from peeklock.stack.servers.servicebus import SERVICE_RULE, ServiceBusServer, service_rule

PATIENCE = 1.0
"""Seconds in which a service may come to an end with what it has in hand."""
_NOTICED = 1.0
"""Seconds in which an emulator notices that a client has died."""


def end_leftovers(bus: ServiceBusServer, namespace: str, services: LocalServices, cut_off: Mapping[str, float]) -> bool:
    """Return whether any service had a message in hand, when none has any more; one that keeps its for longer than `PATIENCE` is
    killed, and so is who was `cut_off` by the end of the emulator (access rules, and since when), for nobody can tell. No new
    message may come to them meanwhile: the namespace was reset. Raises `StackError`."""
    for rule, since in cut_off.items():
        name = rule.removeprefix(SERVICE_RULE)
        if name in services.processes() and not _ended_since(services, name, since - _NOTICED):
            services.kill(name)
    at_work = _at_work(bus, namespace, services)
    if not at_work:
        return bool(cut_off)
    for name in _at_work(bus, namespace, services, at_work, PATIENCE):
        services.kill(name)
    return True


def _ended_since(services: LocalServices, name: str, at: float) -> bool:
    """Whether a service, or the replica that is named, has ended since then (Unix seconds)."""
    exits, _ = services.exits()
    return any(gone.at >= at and name in (gone.service, f"{gone.service}.{gone.replica}") for gone in exits)


def _at_work(
    bus: ServiceBusServer, namespace: str, services: LocalServices, only: Sequence[str] = (), wait: float = 0.0
) -> list[str]:
    """The services and replicas that have a message in hand."""
    known, found = services.processes(), []
    for hand in bus.deliveries_in_hand(namespace, wait, [service_rule(name) for name in only]):
        name = hand["principal"].removeprefix(SERVICE_RULE)
        if name not in known or name in found:
            continue
        cut_for = hand["cut_for"]
        if cut_for is None or not _ended_since(services, name, time.time() - cut_for - _NOTICED):
            found.append(name)
    return found
