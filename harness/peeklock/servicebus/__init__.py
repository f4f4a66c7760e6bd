"""An Azure Service Bus emulator: a process (`python -m peeklock.servicebus`), or a fixture in this one.

Names are loaded when they are asked for: starting the process costs little more than `import asyncio`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .broker import ManualClock, SystemClock
    from .client import Client, OutgoingMessage, ReceivedMessage, ServiceBusError
    from .emulator import Emulator
    from .identity import Identity, RoleAssignment
    from .issuer import Issuer
    from .topology import AccessRule, Queue, Rule, Subscription, Topic, Topology, TopologyError

_HOMES = {
    "AccessRule": "topology",
    "Client": "client",
    "Emulator": "emulator",
    "Identity": "identity",
    "Issuer": "issuer",
    "ManualClock": "broker",
    "OutgoingMessage": "client",
    "Queue": "topology",
    "ReceivedMessage": "client",
    "RoleAssignment": "identity",
    "Rule": "topology",
    "ServiceBusError": "client",
    "Subscription": "topology",
    "SystemClock": "broker",
    "Topic": "topology",
    "Topology": "topology",
    "TopologyError": "topology",
}

__all__ = [
    "AccessRule",
    "Client",
    "Emulator",
    "Identity",
    "Issuer",
    "ManualClock",
    "OutgoingMessage",
    "Queue",
    "ReceivedMessage",
    "RoleAssignment",
    "Rule",
    "ServiceBusError",
    "Subscription",
    "SystemClock",
    "Topic",
    "Topology",
    "TopologyError",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
