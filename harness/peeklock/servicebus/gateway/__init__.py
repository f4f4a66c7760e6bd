"""The ways into the broker: AMQP over TCP, TLS and WebSocket, REST, administration and the control API.

Arrows point down: `ports` ← links, requests, coordinator ← `admission` ← `connection` ← `protocol_detector` ← `server`; `rest`,
`admin`, `control` and `faults` stand beside them. Names are loaded when they are asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .limits import Limits
    from .server import Server

_HOMES = {"Limits": "limits", "Server": "server"}

__all__ = ["Limits", "Server"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
