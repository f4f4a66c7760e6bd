"""What the page shows of a message and of a ledger entry: plain JSON, redacted, within bounds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from peeklock.engine.clipping import clip, clipped
from peeklock.redaction import redact
from peeklock.servicebus import ReceivedMessage

LONGEST_BODY = 64 << 10
LONGEST_TEXT = 4 << 10
_HEX = 4 << 10
_SYSTEM = (
    "correlation_id", "session_id", "subject", "content_type", "to", "reply_to", "time_to_live", "body_type",
)  # fmt: skip


def message(found: ReceivedMessage) -> dict[str, Any]:
    """Return all that is shown of a message, with the body as text, or as the bytes that it is."""
    return {
        "sequence": found.sequence_number,
        "message_id": brief(found.message_id),
        "state": found.state,
        "deliveries": found.delivery_count,
        "enqueued_at": found.enqueued_time.timestamp() * 1000 if found.enqueued_time else None,
        "reason": brief(found.dead_letter_reason or ""),
        "description": brief(found.dead_letter_error_description or ""),
        "size": len(found.body),
        **_body(found),
        "properties": clipped(found.application_properties, LONGEST_TEXT, redact),
        "system": {
            name: clipped(value, LONGEST_TEXT, redact)
            for name in _SYSTEM
            if (value := getattr(found, name)) not in (None, "")
        },
        "annotations": clipped(found.annotations, LONGEST_TEXT, redact),
    }


def _body(found: ReceivedMessage) -> dict[str, Any]:
    if found.body_type != "data" and not isinstance(found.value, str):
        return {"text": clip(str(found.value), LONGEST_BODY, redact), "hex": ""}
    return content(found.body)


def content(body: bytes) -> dict[str, str]:
    """Return bytes as text, empty where they are none, and as hexadecimal."""
    # a secret is no less one in hexadecimal
    shown = redact(body[: 2 * _HEX].decode("latin-1")).encode("latin-1", "replace")[:_HEX]
    try:
        text = clip(body.decode(), LONGEST_BODY, redact)
    except UnicodeDecodeError:
        text = ""
    return {"text": text, "hex": shown.hex(" ")}


def entry(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return a ledger entry as it came from the emulator, redacted."""
    shown: dict[str, Any] = clipped(
        {key: value for key, value in told.items() if key != "message"}, LONGEST_TEXT, redact
    )
    return shown


def brief(text: Any) -> str:
    """Return a name or a value of a line, redacted and cut."""
    return clip(str(text), LONGEST_TEXT, redact)
