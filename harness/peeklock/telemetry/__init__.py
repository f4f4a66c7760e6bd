"""What services tell of themselves by OpenTelemetry or Application Insights: spans, metrics and log records of a case.

The receiver and what it decodes with (protobuf, an optional extra) are loaded when a file asks for telemetry.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from peeklock.telemetry.records import Batch, Link, LogRecord, Point, Span
from peeklock.telemetry.series import Series
from peeklock.telemetry.store import Telemetry
from peeklock.telemetry.trace_context import trace_of

if TYPE_CHECKING:
    from peeklock.telemetry.receiver import Receiver

__all__ = ["Batch", "Link", "LogRecord", "Point", "Receiver", "Series", "Span", "Telemetry", "trace_of"]


def __getattr__(name: str) -> Any:
    if name != "Receiver":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(f"{__name__}.receiver").Receiver
