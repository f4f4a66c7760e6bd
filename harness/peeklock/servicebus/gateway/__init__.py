"""The ways into the broker: AMQP over TCP with CBS and `$management`, and the control API."""

from __future__ import annotations

from .limits import Limits
from .server import Server

__all__ = ["Limits", "Server"]
