"""A sans-IO AMQP 1.0 engine: codec, frames, SASL, and the state machines of connections, sessions and links.

Bytes in, bytes and events out; no socket, no clock, no knowledge of Service Bus.
"""

from __future__ import annotations

from .caps import Caps
from .connection import Connection
from .errors import AmqpError, DecodeError, ProtocolError
from .link import Link, Receiver, Sender
from .message import Envelope
from .session import Session

__all__ = [
    "AmqpError",
    "Caps",
    "Connection",
    "DecodeError",
    "Envelope",
    "Link",
    "ProtocolError",
    "Receiver",
    "Sender",
    "Session",
]
