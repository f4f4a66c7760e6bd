"""HTTP for everything in the emulator that speaks it: REST, administration, control API and token issuer.

h11 is loaded by the first connection: an emulator that serves AMQP alone never pays for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .messages import HttpReply, HttpRequest
from .service import HttpLimits, HttpService

if TYPE_CHECKING:
    from .connection import HttpConnection
    from .listener import HttpListener

__all__ = ["HttpConnection", "HttpLimits", "HttpListener", "HttpReply", "HttpRequest", "HttpService"]

_HOMES = {"HttpConnection": "connection", "HttpListener": "listener"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
