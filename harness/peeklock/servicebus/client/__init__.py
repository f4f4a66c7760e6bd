"""A small blocking Service Bus client on the emulator's own AMQP engine; it opens in milliseconds."""

from __future__ import annotations

from .client import Client
from .dead_letters import every_message, send_again
from .errors import ServiceBusError
from .messages import OutgoingMessage, ReceivedMessage, Resubmission
from .recorded import RecordedMessage, RecordingInvalid, read_recording, write_recording
from .session import SessionReceiver

__all__ = [
    "Client",
    "OutgoingMessage",
    "ReceivedMessage",
    "RecordedMessage",
    "RecordingInvalid",
    "Resubmission",
    "ServiceBusError",
    "SessionReceiver",
    "every_message",
    "read_recording",
    "send_again",
    "write_recording",
]
