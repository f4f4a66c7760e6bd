"""Service Bus rules without a wire: entities, messages, locks, deadlines, the ledger; the clock is injected."""

from __future__ import annotations

from .clock import Clock, ManualClock, SystemClock
from .consumer import Consumer
from .errors import BrokerError
from .message import Content, Message
from .namespace import Namespace
from .queue import Queue

__all__ = [
    "BrokerError",
    "Clock",
    "Consumer",
    "Content",
    "ManualClock",
    "Message",
    "Namespace",
    "Queue",
    "SystemClock",
]
