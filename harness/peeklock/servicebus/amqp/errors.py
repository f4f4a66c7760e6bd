"""The two ways in which the AMQP engine says no: bytes that cannot be read, and a peer that broke the protocol."""

from __future__ import annotations


class DecodeError(ValueError):
    """Bytes that are not AMQP 1.0, or that go past a cap (size, count, nesting)."""


class AmqpError(Exception):
    """An AMQP `error`: a condition (a symbol such as `amqp:not-found`) and a sentence for people."""

    def __init__(self, condition: str, description: str = "") -> None:
        super().__init__(f"{condition}: {description}")
        self.condition = condition
        self.description = description


class ProtocolError(AmqpError):
    """The peer did something that AMQP 1.0 forbids; the connection is closed with this error."""


NOT_FOUND = "amqp:not-found"
NOT_ALLOWED = "amqp:not-allowed"
NOT_IMPLEMENTED = "amqp:not-implemented"
UNAUTHORIZED = "amqp:unauthorized-access"
DECODE_ERROR = "amqp:decode-error"
INTERNAL_ERROR = "amqp:internal-error"
INVALID_FIELD = "amqp:invalid-field"
RESOURCE_LIMIT = "amqp:resource-limit-exceeded"
DETACH_FORCED = "amqp:link:detach-forced"
SIZE_EXCEEDED = "amqp:link:message-size-exceeded"
CONNECTION_FORCED = "amqp:connection:forced"
FRAMING_ERROR = "amqp:connection:framing-error"
UNATTACHED_HANDLE = "amqp:session:unattached-handle"
