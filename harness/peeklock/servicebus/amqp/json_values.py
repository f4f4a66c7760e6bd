"""AMQP values as JSON has them."""

from __future__ import annotations

import base64
import uuid
from typing import Any

from .types import Described


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
