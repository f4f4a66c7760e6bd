"""A queue's message as it goes to a receiver."""

from __future__ import annotations

from peeklock.servicebus.amqp import Envelope
from peeklock.servicebus.broker import Message

_STATE_CODES = {"active": 0, "locked": 0, "locked deferred": 1, "deferred": 1, "scheduled": 2, "gone": 0}


def encode_message(message: Message, *, locked: bool, stated: bool = False) -> bytes:
    """Encode a queue's message for a receiver; `locked` adds locked-until and the lock token, `stated` the state, which
    peeked and deferred messages have and others have not (S-32; azure-servicebus counts the annotations)."""
    content: Envelope = message.content
    return content.wire(
        message.sequence,
        message.enqueued_at,
        _STATE_CODES[message.state] if stated else None,
        message.delivery_count,
        message.locked_until if locked else None,
        message.origin,
        message.token if locked else b"",
    )
