"""An Azure Service Bus emulator: a process (`python -m peeklock.servicebus`), or a fixture in this one.

Names are loaded when they are asked for: starting the process costs little more than `import asyncio`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .auth import AccessRule, Identity, RoleAssignment
    from .broker import ManualClock, SystemClock
    from .client import (
        Client,
        OutgoingMessage,
        ReceivedMessage,
        RecordedMessage,
        RecordingInvalid,
        Resubmission,
        ServiceBusError,
        every_message,
        read_recording,
        send_again,
        write_recording,
    )
    from .emulator import Emulator
    from .entity_settings import Queue, Rule, Subscription, Topic
    from .issuer import Issuer
    from .managed_identity import IdentityEndpoint, ManagedIdentity
    from .settings import TopologyError
    from .store import StoreError
    from .topology import Topology

_HOMES = {
    "AccessRule": "auth",
    "Client": "client",
    "Emulator": "emulator",
    "Identity": "auth",
    "IdentityEndpoint": "managed_identity",
    "Issuer": "issuer",
    "ManagedIdentity": "managed_identity",
    "ManualClock": "broker",
    "OutgoingMessage": "client",
    "Queue": "entity_settings",
    "ReceivedMessage": "client",
    "RecordedMessage": "client",
    "RecordingInvalid": "client",
    "Resubmission": "client",
    "RoleAssignment": "auth",
    "Rule": "entity_settings",
    "ServiceBusError": "client",
    "StoreError": "store",
    "Subscription": "entity_settings",
    "SystemClock": "broker",
    "Topic": "entity_settings",
    "Topology": "topology",
    "TopologyError": "settings",
    "every_message": "client",
    "read_recording": "client",
    "send_again": "client",
    "write_recording": "client",
}

__all__ = [
    "AccessRule",
    "Client",
    "Emulator",
    "Identity",
    "IdentityEndpoint",
    "Issuer",
    "ManagedIdentity",
    "ManualClock",
    "OutgoingMessage",
    "Queue",
    "ReceivedMessage",
    "RecordedMessage",
    "RecordingInvalid",
    "Resubmission",
    "RoleAssignment",
    "Rule",
    "ServiceBusError",
    "StoreError",
    "Subscription",
    "SystemClock",
    "Topic",
    "Topology",
    "TopologyError",
    "every_message",
    "read_recording",
    "send_again",
    "write_recording",
]


if not TYPE_CHECKING:  # a type checker knows each name by its import above

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
