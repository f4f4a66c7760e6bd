"""What services tell of themselves by OpenTelemetry or Application Insights: spans, metrics and log records of a case.

The receiver and the reader of pages are loaded when a file asks for them: what they decode with is an optional extra.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from peeklock.telemetry.records import EVENT, Batch, Link, LogRecord, Point, Span, service_of
from peeklock.telemetry.series import Change, Series
from peeklock.telemetry.store import Telemetry

if TYPE_CHECKING:
    from peeklock.telemetry.prometheus import read_page
    from peeklock.telemetry.receiver import Receiver

__all__ = [
    "EVENT",
    "Batch",
    "Change",
    "Link",
    "LogRecord",
    "Point",
    "Receiver",
    "Series",
    "Span",
    "Telemetry",
    "read_page",
    "service_of",
]

_HOMES = {"Receiver": "receiver", "read_page": "prometheus"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
