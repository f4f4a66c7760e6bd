"""An Azure Service Bus emulator: a process (`python -m peeklock.servicebus`), or a fixture in this one.

Names are loaded when they are asked for: starting the process costs little more than `import asyncio`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .auth import AccessRule, Identity, RoleAssignment
    from .broker import ManualClock, SystemClock
    from .client import Client, OutgoingMessage, ReceivedMessage, ServiceBusError
    from .emulator import Emulator
    from .issuer import Issuer
    from .settings import TopologyError
    from .topology import Queue, Rule, Subscription, Topic, Topology

_HOMES = {
    "AccessRule": "auth",
    "Client": "client",
    "Emulator": "emulator",
    "Identity": "auth",
    "Issuer": "issuer",
    "ManualClock": "broker",
    "OutgoingMessage": "client",
    "Queue": "topology",
    "ReceivedMessage": "client",
    "RoleAssignment": "auth",
    "Rule": "topology",
    "ServiceBusError": "client",
    "Subscription": "topology",
    "SystemClock": "broker",
    "Topic": "topology",
    "Topology": "topology",
    "TopologyError": "settings",
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
