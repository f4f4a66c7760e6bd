"""OpenTelemetry set up: exporters, the libraries that are traced, and what is measured. Slow to load: see ``telemetry``."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

# The stable names: `http.server.request.duration` in seconds, not `http.server.duration` in milliseconds.
os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "http,database")

from azure.core.settings import settings
from azure.core.tracing.ext.opentelemetry_span import OpenTelemetrySpan
from azure.servicebus import ServiceBusReceivedMessage
from opentelemetry import metrics, trace
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.httpx import HTTPX2ClientInstrumentor, HTTPXClientInstrumentor
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from services.shared.correlation import text_properties
from services.shared.outcomes import Outcome

if TYPE_CHECKING:
    from fastapi import FastAPI

_PROBES = "/health$,/ready$"
_FAILED = ("abandoned", "dead_lettered", "unsettled")
_PATIENCE = 2.0
# Boundaries of histograms of seconds, as the conventions for HTTP and messaging advise.
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)


class Instrumentation:
    """What traces and measures this process. Exporters, sampler and intervals follow the standard ``OTEL_*`` variables."""

    def __init__(self, service: str) -> None:
        os.environ.setdefault("OTEL_SERVICE_NAME", service)
        traces = TracerProvider(shutdown_on_exit=False)
        if os.environ.get("OTEL_TRACES_EXPORTER", "otlp") != "none":
            traces.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        readers = []
        if os.environ.get("OTEL_METRICS_EXPORTER", "otlp") != "none":
            readers.append(PeriodicExportingMetricReader(OTLPMetricExporter()))
        self._providers = (traces, MeterProvider(readers, shutdown_on_exit=False))
        trace.set_tracer_provider(traces)
        metrics.set_meter_provider(self._providers[1])
        self._tracer, self._meter = trace.get_tracer(__name__), metrics.get_meter(__name__)
        self._propagator = TraceContextTextMapPropagator()
        self._durations: dict[str, metrics.Histogram] = {}
        self._outcomes = self._meter.create_counter("worker.outcomes", "{message}", "Messages by how they ended")
        settings.tracing_implementation = OpenTelemetrySpan
        HTTPXClientInstrumentor().instrument()
        if "httpx2" in sys.modules:  # which the OpenAI client uses
            HTTPX2ClientInstrumentor().instrument()
        if "psycopg" in sys.modules:  # not every service has a database
            from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor

            PsycopgInstrumentor().instrument()

    def of_app(self, app: FastAPI) -> None:
        """Trace and measure the requests to ``app``, and export the last of it before its server ends the process."""
        # here: a worker need not load FastAPI, which takes 0.2 s
        from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor

        FastAPIInstrumentor.instrument_app(app, excluded_urls=_PROBES, exclude_spans=["receive", "send"])
        lifespan = app.router.lifespan_context

        @asynccontextmanager
        async def exported(app: FastAPI) -> AsyncIterator[Any]:
            async with lifespan(app) as state:
                yield state
            await asyncio.to_thread(self.stop)

        app.router.lifespan_context = exported

    def stop(self) -> None:
        """Export what is left; a collector that is away holds nobody up for longer than the patience."""
        threads = [threading.Thread(target=provider.shutdown, daemon=True) for provider in self._providers]
        for thread in threads:
            thread.start()
        until = time.monotonic() + _PATIENCE
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))

    @contextmanager
    def processing(self, queue: str, message: ServiceBusReceivedMessage, outcome: Outcome) -> Iterator[None]:
        """Have the enclosed work in a consumer span of the message's trace, and count its outcome."""
        properties = text_properties(message)
        carried = {"traceparent": properties.get("traceparent") or properties.get("Diagnostic-Id", "")}
        where = {
            "messaging.system": "servicebus",
            "messaging.operation.name": "process",
            "messaging.destination.name": queue,
        }
        facts: dict[str, str | int] = {
            **where,
            "messaging.operation.type": "process",
            "messaging.message.id": message.message_id or "",
            "messaging.servicebus.message.delivery_count": (message.delivery_count or 0) + 1,
        }
        started = time.perf_counter()
        with self._tracer.start_as_current_span(
            f"process {queue}", self._propagator.extract(carried), trace.SpanKind.CONSUMER, facts
        ) as span:
            try:
                yield
            finally:
                failed = {"error.type": outcome.reason or outcome.word} if outcome.word in _FAILED else {}
                span.set_attributes({"outcome": outcome.word, **failed})
                if failed:
                    span.set_status(trace.StatusCode.ERROR, failed["error.type"])
                elapsed = time.perf_counter() - started
                self._duration("messaging.process.duration").record(elapsed, {**where, **failed})
                self._outcomes.add(1, {**where, **failed, "outcome": outcome.word})

    @contextmanager
    def model_call(self, model: str, provider: str | None) -> Iterator[None]:
        """Have the enclosed call in a span; record its seconds, with the kind of the exception that ends it."""
        metric, name, attributes = "model.duration", f"model {model}", {"model": model}
        if provider is not None:
            metric, name = "gen_ai.client.operation.duration", f"chat {model}"
            attributes = {
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": provider,
                "gen_ai.request.model": model,
            }
        started, failed = time.perf_counter(), {}
        try:
            with self._tracer.start_as_current_span(name, None, trace.SpanKind.CLIENT, attributes):
                yield
        except BaseException as error:
            failed = {"error.type": type(error).__name__}
            raise
        finally:
            self._duration(metric).record(time.perf_counter() - started, {**attributes, **failed})

    def untraced(self) -> AbstractContextManager[None]:
        """Return the context in which the instrumented libraries make no spans."""
        return suppress_instrumentation()

    def current_trace_id(self) -> str | None:
        """Return the id of the running task's span, if it has one."""
        context = trace.get_current_span().get_span_context()
        return trace.format_trace_id(context.trace_id) if context.is_valid else None

    def _duration(self, metric: str) -> metrics.Histogram:
        if metric not in self._durations:
            self._durations[metric] = self._meter.create_histogram(
                metric, "s", explicit_bucket_boundaries_advisory=_SECONDS
            )
        return self._durations[metric]
