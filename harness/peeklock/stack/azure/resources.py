"""Which resources of the cloud a run may use: what the environment names, and nothing else."""

from __future__ import annotations

import os

from peeklock.scenario.topology import Stack
from peeklock.stack.errors import StackError

SERVICEBUS = "PEEKLOCK_AZURE_SERVICEBUS"
STORAGE = "PEEKLOCK_AZURE_STORAGE"
POSTGRES = "PEEKLOCK_AZURE_POSTGRES"
VARIABLES = {"servicebus": SERVICEBUS, "blobs": STORAGE, "postgres": POSTGRES}
"""By kind of dependency: connection strings, and a URL."""


def resource(kind: str) -> str:
    """Return the connection string, or the URL, of a kind of dependency. Raises `StackError`."""
    found = os.environ.get(VARIABLES[kind], "")
    if not found:
        raise StackError(
            f"the environment variable {VARIABLES[kind]} is not set",
            expected="a connection string with the right Manage, that of a storage account, a URL of Postgres",
            fix="name resources that only tests use; nothing else of the subscription is looked at",
        )
    return found


def named() -> list[str]:
    """Return the kinds of dependencies whose resource is named."""
    return [kind for kind, variable in VARIABLES.items() if os.environ.get(variable)]


def lacking(wanted: Stack) -> str:
    """Return what a file asks for that cannot be had in the cloud; empty when all of it can."""
    unnamed = [VARIABLES[kind] for kind in VARIABLES if getattr(wanted, kind) is not None and kind not in named()]
    bus, blobs, postgres = wanted.servicebus, wanted.blobs, wanted.postgres
    reasons = [f"{', '.join(unnamed)} is not set" if unnamed else ""]
    if bus is not None:
        reasons += [
            "stack.servicebus.name: the namespace is the one that you name" if bus.name else "",
            "topics are not made on the azure backend" if bus.topics else "",
            "access rules are not made on the azure backend" if bus.access_rules else "",
        ]
        shortest = [name for name, queue in bus.queues.items() if queue.lock_duration < _SHORTEST_LOCK]
        if shortest:
            reasons.append(f"Azure locks for {_SHORTEST_LOCK} s at least: {', '.join(shortest)}")
        if any(
            queue.requires_session or queue.forward_to or queue.forward_dead_lettered_messages_to
            for queue in bus.queues.values()
        ):
            reasons.append("queues with sessions or forwarding are not made on the azure backend")
    if blobs is not None and blobs.name:
        reasons.append("stack.blobs.name: the account is the one that you name")
    if postgres is not None and (postgres.version or postgres.image or postgres.settings):
        reasons.append("stack.postgres: the server is the one that you name")
    if wanted.identities:
        reasons.append("identities are those of your subscription")
    return "; ".join(filter(None, reasons))


_SHORTEST_LOCK = 5
