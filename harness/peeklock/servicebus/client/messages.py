"""Messages as the client's users see them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from peeklock.servicebus.amqp import Envelope
from peeklock.servicebus.amqp import decode as amqp_decode
from peeklock.servicebus.amqp import scan as amqp_scan
from peeklock.servicebus.amqp.encode import compound, encode
from peeklock.servicebus.amqp.sections import (
    APPLICATION_PROPERTIES,
    DELIVERY_ANNOTATIONS,
    HEADER,
    MESSAGE_ANNOTATIONS,
    PROPERTIES,
    build,
    described_map,
)
from peeklock.servicebus.amqp.types import Symbol, Timestamp, UInt


@dataclass(slots=True)
class OutgoingMessage:
    """A message to send. `time_to_live` in seconds; `message_id` None gets a fresh uuid; application properties of
    type int go as 64-bit, datetime as timestamp."""

    body: bytes = b""
    message_id: str | None = None
    correlation_id: str | None = None
    session_id: str | None = None
    subject: str | None = None
    content_type: str | None = None
    reply_to: str | None = None
    to: str | None = None
    time_to_live: float | None = None
    application_properties: Mapping[str, Any] = field(default_factory=dict)
    scheduled_enqueue_time: datetime | None = None
    annotations: Mapping[str, Any] = field(default_factory=dict)

    def encode(self) -> bytes:
        """Encode the message as AMQP. Raises `TypeError` for values that have no AMQP type."""
        content_type = None if self.content_type is None else Symbol(self.content_type)
        properties = [
            self.message_id or uuid.uuid4().hex, None, self.to, self.subject, self.reply_to, self.correlation_id,
            content_type, None, None, None, self.session_id, None, None,
        ]  # fmt: skip
        annotations = {name: _value(value) for name, value in self.annotations.items()}
        if self.scheduled_enqueue_time is not None:
            annotations["x-opt-scheduled-enqueue-time"] = _value(self.scheduled_enqueue_time)
        header = None
        if self.time_to_live is not None:
            header = [None, None, UInt(min(int(self.time_to_live * 1000), 0xFFFFFFFF)), None, None]
        return build(
            properties=properties,
            application_properties={name: _value(value) for name, value in self.application_properties.items()},
            annotations=annotations,
            data=bytes(self.body),
            header=header,
        )


@dataclass(slots=True)
class ReceivedMessage:
    """A message that was received or peeked. Times are UTC; `lock_token` and `locked_until` only under a lock;
    `delivery_count` counts earlier failed deliveries; `state` is active, deferred or scheduled."""

    queue: str
    body: bytes
    body_type: str
    value: Any
    message_id: str
    correlation_id: Any
    session_id: str | None
    subject: str | None
    content_type: str | None
    to: str | None
    reply_to: str | None
    time_to_live: float | None
    application_properties: dict[str, Any]
    annotations: dict[str, Any]
    sequence_number: int
    delivery_count: int
    enqueued_time: datetime | None
    locked_until: datetime | None
    state: str
    dead_letter_reason: str | None
    dead_letter_error_description: str | None
    lock_token: uuid.UUID | None = None
    delivery: Any = field(default=None, repr=False)
    """The client's own note of how it was received."""
    raw: bytes = field(default=b"", repr=False)
    """The whole message, encoded."""

    @classmethod
    def decode(cls, queue: str, raw: bytes, lock_token: uuid.UUID | None = None) -> ReceivedMessage:
        """Read a message as it came from the broker. Raises `DecodeError`."""
        envelope = Envelope(raw)
        header, annotations = _head(raw)
        properties = envelope.properties()
        application = envelope.application_properties()
        kind, parts = envelope.body()
        body = b"".join(part for part in parts if isinstance(part, bytes))
        if kind == "value" and isinstance(parts[0], str):
            body = parts[0].encode()
        state = {1: "deferred", 2: "scheduled"}.get(annotations.get("x-opt-message-state", 0), "active")
        return cls(
            queue=queue,
            body=body,
            body_type="data" if kind == "none" else kind,
            value=parts[0] if kind == "value" else parts,
            message_id=envelope.message_id,
            correlation_id=properties.get("correlation_id"),
            session_id=envelope.session_id,
            subject=properties.get("subject"),
            content_type=properties.get("content_type"),
            to=properties.get("to"),
            reply_to=properties.get("reply_to"),
            time_to_live=envelope.ttl,
            application_properties=application,
            annotations=annotations,
            sequence_number=int(annotations.get("x-opt-sequence-number", 0)),
            delivery_count=(header[4] or 0) if len(header) > 4 else 0,
            enqueued_time=_time(annotations.get("x-opt-enqueued-time")),
            locked_until=_time(annotations.get("x-opt-locked-until")),
            state=state,
            dead_letter_reason=application.get("DeadLetterReason"),
            dead_letter_error_description=application.get("DeadLetterErrorDescription"),
            lock_token=lock_token,
            raw=raw,
        )


class Resubmission:
    """A received message that is sent again whole: every property, the time to live, the partition key, the body as it is.

    It has a new message id, since duplicate detection would drop the old one, and says the old one in the application
    property `resubmitted_from`. Why it was dead-lettered it says no more.
    """

    def __init__(self, message: ReceivedMessage) -> None:
        self._raw, self.message_id = message.raw, uuid.uuid4().hex

    def encode(self) -> bytes:
        """Encode it. Raises `DecodeError` when the message cannot be read."""
        envelope = Envelope(self._raw)
        properties = [envelope.raw_property(index) for index in range(_PROPERTIES)]
        properties[0] = encode(self.message_id)
        properties[_ABSOLUTE_EXPIRY] = properties[_CREATION] = b"\x40"  # its time to live begins anew
        application = {
            key: value
            for key, value in envelope.typed_application_properties().items()
            if key not in DEAD_LETTER_PROPERTIES
        }
        kept = {name: value for name, value in envelope.annotations().items() if name in _SENDER_ANNOTATIONS}
        header = None
        if envelope.ttl is not None:
            header = [None, None, UInt(min(int(envelope.ttl * 1000), 0xFFFFFFFF)), None, None]
        head = build(header=header, annotations=kept)
        section = bytes((0, 0x53, PROPERTIES)) + compound(0xC0, properties)
        told = {**application, "resubmitted_from": envelope.message_id}
        return head + section + described_map(APPLICATION_PROPERTIES, told) + envelope.raw_body()


_PROPERTIES, _ABSOLUTE_EXPIRY, _CREATION = 13, 8, 9
DEAD_LETTER_PROPERTIES = frozenset({"DeadLetterReason", "DeadLetterErrorDescription"})
"""Application properties in which a message says why it was dead-lettered."""
_SENDER_ANNOTATIONS = frozenset({"x-opt-partition-key", "x-opt-via-partition-key"})
"""What a sender says and the broker does not; all others are the broker's own."""


def _head(raw: bytes) -> tuple[list[Any], dict[str, Any]]:
    """Decode the sections before the bare message."""
    header: list[Any] = []
    annotations: dict[str, Any] = {}
    pos = 0
    while pos < len(raw):
        code, at = amqp_decode.descriptor(raw, pos)
        if code not in (HEADER, DELIVERY_ANNOTATIONS, MESSAGE_ANNOTATIONS):
            break
        if code == HEADER:
            header, pos = amqp_decode.fields(raw, at)
        elif code == MESSAGE_ANNOTATIONS:
            annotations, pos = amqp_decode.plain(raw, at)
        else:
            pos = amqp_scan.skip(raw, at)
    return header, annotations


def _value(value: Any) -> Any:
    if isinstance(value, datetime):
        return Timestamp(round(value.timestamp() * 1000))
    return value


def _time(milliseconds: Any) -> datetime | None:
    return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC)
