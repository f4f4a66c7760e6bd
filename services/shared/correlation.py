"""One correlation id from the HTTP header, through message properties and the worker, to the result."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import structlog

if TYPE_CHECKING:
    from azure.servicebus import ServiceBusReceivedMessage

HEADER = "x-correlation-id"
PROPERTY = "correlation_id"
_ACCEPTABLE = re.compile(r"^[A-Za-z0-9._:/-]{1,128}$")


def new_correlation_id() -> str:
    """Return a fresh id (32 hex digits)."""
    return uuid.uuid4().hex


def correlation_id_or_new(candidate: str | None) -> str:
    """Return ``candidate`` when it is short and printable (it goes into logs and headers), else a fresh id."""
    return candidate if candidate and _ACCEPTABLE.match(candidate) else new_correlation_id()


@contextmanager
def correlated(correlation_id: str) -> Iterator[None]:
    """Bind ``correlation_id`` to every log line and message of the enclosed work."""
    with structlog.contextvars.bound_contextvars(correlation_id=correlation_id):
        yield


def current_correlation_id() -> str | None:
    """Return the id bound by :func:`correlated`, or None outside of it."""
    value = structlog.contextvars.get_contextvars().get(PROPERTY)
    return value if isinstance(value, str) else None


def correlation_id_of(message: ServiceBusReceivedMessage) -> str:
    """Return the id that ``message`` carries: application property, then AMQP correlation-id, else a fresh one."""
    properties = text_properties(message)
    return correlation_id_or_new(properties.get(PROPERTY) or _text(message.correlation_id))


def text_properties(message: ServiceBusReceivedMessage) -> dict[str, str]:
    """Return the application properties as text: the SDK hands out keys and values as bytes or str."""
    return {_text(key) or "": _text(value) or "" for key, value in (message.application_properties or {}).items()}


def _text(value: Any) -> str | None:
    if value is None:
        return None
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
