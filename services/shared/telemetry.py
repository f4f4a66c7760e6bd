"""Traces and metrics, in OpenTelemetry's words, for services whose environment names a collector; nothing for others."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from services.shared.loading import loading
from services.shared.outcomes import Outcome

if TYPE_CHECKING:
    from azure.servicebus import ServiceBusReceivedMessage
    from fastapi import FastAPI

    from services.shared.instrumentation import Instrumentation

_ENDPOINTS = tuple(f"OTEL_EXPORTER_OTLP_{signal}ENDPOINT" for signal in ("", "TRACES_", "METRICS_"))

_instrumentation: Instrumentation | None = None


def start_telemetry(service: str, app: FastAPI | None = None) -> None:
    """Trace and measure this process, and ``app`` when it serves one, if a standard variable names an OTLP collector.

    ``service`` is its name unless ``OTEL_SERVICE_NAME`` gives another. Call it once, when everything is imported.
    """
    global _instrumentation
    disabled = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    if disabled or not any(os.environ.get(name) for name in _ENDPOINTS):
        return
    # here: the SDK and its instrumentations take 0.15 s to load, an eighth of a service's start
    with loading():
        from services.shared.instrumentation import Instrumentation

    _instrumentation = Instrumentation(service)
    if app is not None:
        _instrumentation.of_app(app)


def stop_telemetry() -> None:
    """Hand over what has not been exported yet. Blocks for 2 s at most, whatever the collector does."""
    if _instrumentation is not None:
        _instrumentation.stop()


@contextmanager
def processing(queue: str, message: ServiceBusReceivedMessage) -> Iterator[Outcome]:
    """Continue the trace that ``message`` carries; whoever handles it says in the :class:`Outcome` how that ended."""
    outcome = Outcome()
    if _instrumentation is None:
        yield outcome
        return
    with _instrumentation.processing(queue, message, outcome):
        yield outcome


@contextmanager
def model_call(model: str, provider: str | None = None) -> Iterator[None]:
    """Have the enclosed call of ``model`` in a span, and how long it takes measured.

    ``provider`` is that of a chat model, by the conventions' name for it (``azure.ai.openai``).
    """
    if _instrumentation is None:
        yield
        return
    with _instrumentation.model_call(model, provider):
        yield


@contextmanager
def untraced() -> Iterator[None]:
    """Leave the enclosed work out of the trace: what a pool does for itself is no step of anybody's request."""
    if _instrumentation is None:
        yield
        return
    with _instrumentation.untraced():
        yield


def current_trace_id() -> str | None:
    """Return the running task's trace id (32 hex digits), or None outside of a trace."""
    return None if _instrumentation is None else _instrumentation.current_trace_id()
