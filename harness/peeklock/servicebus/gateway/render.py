"""Messages as JSON, for the ledger."""

from __future__ import annotations

import base64
import uuid
from typing import Any

from peeklock.servicebus.amqp import DecodeError, Envelope
from peeklock.servicebus.amqp.sections import text_of
from peeklock.servicebus.amqp.types import Described


def json_safe(value: Any) -> Any:
    """Turn any decoded AMQP value into one that JSON has."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else str(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {str(key): json_safe(item) for key, item in value.items()}
    if isinstance(value, list):
        return [json_safe(item) for item in value]
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, Described):
        return json_safe(value.value)
    return str(value)


def describe(content: Envelope) -> dict[str, Any]:
    """Render a message for the ledger: properties, application properties and body (base64 of its bytes; a value or
    sequence body is rendered as JSON text first)."""
    properties: dict[str, Any] = {}
    session_id = None
    try:
        properties = content.properties()
        session_id = content.session_id
        application = json_safe(content.application_properties())
        kind, parts = content.body()
    except DecodeError as error:
        application, kind, parts = {"": str(error)}, "data", []
    correlation = properties.get("correlation_id")
    if kind in ("data", "none"):
        body = b"".join(part for part in parts if isinstance(part, bytes))
    elif kind == "value" and isinstance(parts[0], str | bytes):
        body = parts[0].encode() if isinstance(parts[0], str) else parts[0]
    else:
        import json

        body = json.dumps(json_safe(parts[0] if kind == "value" else parts)).encode()
    return {
        "message_id": content.message_id,
        "correlation_id": None if correlation is None else text_of(correlation),
        "session_id": session_id,
        "subject": json_safe(properties.get("subject")),
        "content_type": json_safe(properties.get("content_type")),
        "to": json_safe(properties.get("to")),
        "reply_to": json_safe(properties.get("reply_to")),
        "time_to_live": content.ttl,
        "application_properties": application,
        "body_base64": base64.b64encode(body).decode(),
        "body_type": "data" if kind == "none" else kind,
    }
