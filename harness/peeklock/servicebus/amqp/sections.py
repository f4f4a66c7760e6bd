"""The sections of a message: their codes, and how they are built out of Python values."""

from __future__ import annotations

from typing import Any

from .encode import described, encode
from .types import Symbol

HEADER, DELIVERY_ANNOTATIONS, MESSAGE_ANNOTATIONS, PROPERTIES = 0x70, 0x71, 0x72, 0x73
APPLICATION_PROPERTIES, DATA, SEQUENCE, VALUE, FOOTER = 0x74, 0x75, 0x76, 0x77, 0x78
BATCH_FORMAT = 0x80013700


def text_of(identifier: Any) -> str:
    """Render a message-id or correlation-id of any AMQP type as text."""
    if isinstance(identifier, bytes):
        return identifier.hex()
    return str(identifier)


def described_map(code: int, items: dict[Any, Any]) -> bytes:
    """Encode a section whose value is a map."""
    return bytes((0, 0x53, code)) + encode(items)


def build(
    *,
    properties: list[Any] | None = None,
    application_properties: dict[str, Any] | None = None,
    annotations: dict[str, Any] | None = None,
    data: bytes | None = None,
    value: bytes | None = None,
    header: list[Any] | None = None,
) -> bytes:
    """Build a message out of Python values; `value` is an *encoded* AMQP value for an amqp-value body."""
    parts = []
    if header is not None:
        parts.append(described(HEADER, *header))
    if annotations:
        parts.append(described_map(MESSAGE_ANNOTATIONS, {Symbol(k): v for k, v in annotations.items()}))
    if properties is not None:
        parts.append(described(PROPERTIES, *properties))
    if application_properties:
        parts.append(described_map(APPLICATION_PROPERTIES, application_properties))
    if value is not None:
        parts.append(b"\x00\x53\x77" + value)
    elif data is not None:
        parts.append(b"\x00\x53\x75" + encode(data))
    return b"".join(parts)
