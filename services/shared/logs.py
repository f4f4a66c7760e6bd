"""Structured logs: one JSON object a line on stdout, for our events and for every library's."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

import structlog
from structlog.typing import EventDict, Processor

from services.shared.redaction import redactor
from services.shared.telemetry import current_trace_id

# These print full request URLs, and with them SAS signatures, at INFO.
_CHATTY = (
    "httpx",
    "httpx2",
    "httpcore",
    "httpcore2",
    "azure",
    "uamqp",
    "multipart",
    "python_multipart",
    "asyncio",
    "opentelemetry",
)

Logger = structlog.typing.FilteringBoundLogger


def configure_logs(service: str, level: str = "INFO", secrets: tuple[str, ...] = ()) -> None:
    """Send every log of this process to stdout as JSON lines.

    Each line holds ``timestamp`` (UTC, ISO 8601), ``level``, ``event``, ``service``, ``correlation_id``, ``trace_id``
    where it is traced, and the event's own fields. ``secrets`` are literal values that must never appear. Safe to call again: the last call wins.
    """

    def name_service(_logger: Any, _method: str, event: EventDict) -> EventDict:
        event["service"] = service
        event.setdefault("correlation_id", None)
        if (trace_id := current_trace_id()) is not None:
            event["trace_id"] = trace_id
        return event

    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        name_service,
        structlog.processors.format_exc_info,
    ]
    finish: list[Processor] = [redactor(*secrets), _in_reading_order, structlog.processors.JSONRenderer(json.dumps)]
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*shared, *finish],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(sys.stdout),
        cache_logger_on_first_use=False,
    )

    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, _name_library],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *finish],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(number)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(number, logging.WARNING))
    # Uvicorn brings handlers of its own; ours speaks for it, and `http.request` replaces its access log.
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        library = logging.getLogger(name)
        library.handlers.clear()
        library.propagate = True
        library.setLevel(max(number, logging.WARNING))


def get_logger() -> Logger:
    """Return the process's logger; its context (correlation id) follows the running task."""
    logger: Logger = structlog.get_logger()
    return logger


def _name_library(_logger: Any, _method: str, event: EventDict) -> EventDict:
    event["message"] = event["event"]
    event["event"] = "library.log"
    event["logger"] = event["_record"].name
    if event["logger"].startswith("opentelemetry.") and event["level"] in ("error", "critical"):
        event["level"] = "warning"  # what could not be told of the work is no failure of the work
    return event


def _in_reading_order(_logger: Any, _method: str, event: EventDict) -> EventDict:
    first = ("timestamp", "level", "event", "service", "correlation_id")
    return {**{key: event[key] for key in first if key in event}, **event}
