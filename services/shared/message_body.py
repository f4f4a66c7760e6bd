"""The bytes of a message, whichever of AMQP's body types its sender used."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from azure.servicebus import ServiceBusReceivedMessage
from azure.servicebus.amqp import AmqpMessageBodyType


def body_of(message: ServiceBusReceivedMessage) -> bytes:
    """Return the body of a data message joined, or a value message's text or bytes; anything else is empty."""
    if message.body_type == AmqpMessageBodyType.DATA:
        return b"".join(cast("Iterable[bytes]", message.body))
    if message.body_type == AmqpMessageBodyType.VALUE:
        if isinstance(message.body, str):
            return message.body.encode()
        if isinstance(message.body, bytes):
            return message.body
    return b""
