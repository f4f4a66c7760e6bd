"""What a message says, read from the bytes in which it came; nothing is decoded before somebody asks."""

from __future__ import annotations

import base64
import json
from typing import Any

from . import decode, scan
from .errors import DecodeError
from .json_values import json_safe
from .sections import DATA, FOOTER, SEQUENCE, VALUE, text_of

PLAIN_FIELDS = (
    "message_id", "user_id", "to", "subject", "reply_to", "correlation_id", "content_type", "content_encoding",
    "absolute_expiry_time", "creation_time", "session_id", "group_sequence", "reply_to_session_id",
)  # fmt: skip


class Reading:
    """The bare message (properties, application-properties, body, footer) and the annotations, as bytes, and what stands there.
    What cannot be decoded raises `DecodeError`; a session id or a partition key that cannot is none.

    `ttl` is in seconds (None: unset), `scheduled_at` in epoch seconds (None: at once), `size` in encoded bytes;
    `sender` is for the broker, which knows who sent it.
    """

    __slots__ = (
        "_annotations", "_bare", "_delivery_annotations", "_header", "_offsets",
        "message_id", "scheduled_at", "sender", "size", "ttl",
    )  # fmt: skip

    _annotations: tuple[bytes, int]
    _bare: bytes
    _delivery_annotations: bytes
    _header: bytes
    _offsets: tuple[int, int, int]
    message_id: str
    scheduled_at: float | None
    sender: str | None
    size: int
    ttl: float | None

    @property
    def session_id(self) -> str | None:
        """The group-id, which Service Bus calls session id."""
        try:
            raw = self.raw_property(10)
            return None if raw == b"\x40" else str(decode.plain(raw)[0])
        except DecodeError:
            return None

    @property
    def partition_key(self) -> str | None:
        """The annotation that names a partition; of a session's message it is the session id (S-63)."""
        return self._key("x-opt-partition-key")

    @property
    def via_partition_key(self) -> str | None:
        """The annotation that names a partition of the entity through which it is sent (S-17, S-32)."""
        return self._key("x-opt-via-partition-key")

    def _key(self, name: str) -> str | None:
        try:
            key = self.annotations().get(name)
        except DecodeError:
            return None
        # azure-servicebus writes it as binary
        return key.decode("utf-8", "replace") if isinstance(key, bytes) else None if key is None else str(key)

    @property
    def partition_id(self) -> int | None:
        """The partition in which the message stands, as the broker has noted it (S-53)."""
        try:
            found = self.annotations().get("x-opt-partition-id")
        except DecodeError:
            return None
        return found if isinstance(found, int) else None

    def properties(self) -> dict[str, Any]:
        """Decode the properties section into plain values by name; absent ones are left out."""
        at = self._offsets[0]
        if at < 0:
            return {}
        values = decode.plain(self._bare, at + 3)[0]
        return {name: value for name, value in zip(PLAIN_FIELDS, values, strict=False) if value is not None}

    def raw_property(self, index: int) -> bytes:
        """Return the encoded property at `index` (0 message-id, 4 reply-to …), null when absent: for exact echoes."""
        at = self._offsets[0]
        parts = scan.slices(self._bare, at + 3)[0] if at >= 0 else []
        return parts[index] if index < len(parts) else b"\x40"

    def application_properties(self) -> dict[str, Any]:
        """Decode the application properties into plain values."""
        at = self._offsets[1]
        if at < 0:
            return {}
        values = decode.plain(self._bare, at + 3)[0]
        return values if isinstance(values, dict) else {}

    def typed_application_properties(self) -> dict[str, Any]:
        """Decode the application properties; numbers, times and symbols keep their AMQP types."""
        at = self._offsets[1]
        values = decode.value(self._bare, at + 3)[0] if at >= 0 else {}
        return values if isinstance(values, dict) else {}

    def annotations(self) -> dict[str, Any]:
        """Decode the sender's message annotations into plain values."""
        raw, count = self._annotations
        if not count:
            return {}
        result, pos = {}, 0
        while pos < len(raw):
            key, pos = decode.plain(raw, pos)
            result[str(key)], pos = decode.plain(raw, pos)
        return result

    def body(self, *, exact: bool = False) -> tuple[str, list[Any]]:
        """Return the kind of body (data, sequence, value or none) and the decoded value of each of its sections;
        `exact` keeps their AMQP types."""
        read = decode.value if exact else decode.plain
        pos = self._offsets[2]
        kind, values = "none", []
        while 0 <= pos < len(self._bare):
            code = self._bare[pos + 2]
            if code == FOOTER:
                break
            kind = {DATA: "data", SEQUENCE: "sequence", VALUE: "value"}.get(code, "none")
            value, pos = read(self._bare, pos + 3)
            values.append(value)
        return kind, values

    @property
    def head_size(self) -> int:
        """How many bytes all properties and annotations have together."""
        body = self._offsets[2]
        return (body if body >= 0 else len(self._bare)) + len(self._annotations[0])

    def raw_maps(self) -> list[list[bytes]]:
        """Return the encoded keys and values, in turn, of the annotations and of the application properties."""
        raw, pos, pairs = self._annotations[0], 0, []
        while pos < len(raw):
            end = scan.skip(raw, pos)
            pairs.append(raw[pos:end])
            pos = end
        at = self._offsets[1]
        return [pairs, scan.slices(self._bare, at + 3)[0] if at >= 0 else []]

    def raw_body(self) -> bytes:
        """Return the encoded body sections, footer included."""
        return self._bare[self._offsets[2] :] if self._offsets[2] >= 0 else b""

    def facts(self) -> dict[str, Any]:
        """Return the message as the ledger tells of it: properties, application properties, and the body (base64 of its bytes; a
        value or sequence body becomes JSON text first)."""
        properties: dict[str, Any] = {}
        session_id = None
        try:
            properties = self.properties()
            session_id = self.session_id
            application = json_safe(self.application_properties())
            kind, parts = self.body()
        except DecodeError as error:
            application, kind, parts = {"": str(error)}, "data", []
        correlation = properties.get("correlation_id")
        return {
            "message_id": self.message_id,
            "correlation_id": None if correlation is None else text_of(correlation),
            "session_id": session_id,
            "subject": json_safe(properties.get("subject")),
            "content_type": json_safe(properties.get("content_type")),
            "to": json_safe(properties.get("to")),
            "reply_to": json_safe(properties.get("reply_to")),
            "time_to_live": self.ttl,
            "application_properties": application,
            "body_base64": base64.b64encode(_body_bytes(kind, parts)).decode(),
            "body_type": "data" if kind == "none" else kind,
        }


def _body_bytes(kind: str, parts: list[Any]) -> bytes:
    if kind in ("data", "none"):
        return b"".join(part for part in parts if isinstance(part, bytes))
    if kind == "value" and isinstance(parts[0], str | bytes):
        return parts[0].encode() if isinstance(parts[0], str) else parts[0]
    return json.dumps(json_safe(parts[0] if kind == "value" else parts)).encode()
