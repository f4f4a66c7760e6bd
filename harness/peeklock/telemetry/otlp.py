"""OTLP over HTTP: protobuf or JSON in, a batch out."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from peeklock.telemetry.limits import VALUES, Counter, TelemetryRefused
from peeklock.telemetry.records import Batch, Kind, Link, LogRecord, Point, Span, Status

_KINDS: tuple[Kind, ...] = ("internal", "internal", "server", "client", "producer", "consumer")
_STATUS: tuple[Status, ...] = ("unset", "ok", "error")
_LEVELS = ("trace", "debug", "info", "warning", "error", "critical")
_IDS = frozenset({"traceId", "spanId", "parentSpanId", "trace_id", "span_id", "parent_span_id"})
_CUMULATIVE = 2
_NANO = 1_000_000_000
_JSON_PARTS = 8 * VALUES
"""An attribute has five parts in JSON."""

Decode = Callable[[Any, Callable[[Mapping[str, Any]], str], Counter], Batch]


def read(
    signal: str, body: bytes, as_json: bool, service: Callable[[Mapping[str, Any]], str], counter: Counter
) -> Batch:
    """Return what a request to `/v1/<signal>` brought: `traces`, `metrics` or `logs`.

    `service` tells whose telemetry it is by the attributes of its resource. Raises `TelemetryRefused`.
    """
    kind, decode = _SIGNALS[signal]
    request = kind()
    try:
        if as_json:
            document = json.loads(body)
            if not isinstance(document, dict):
                raise TelemetryRefused(400, f"not OTLP: a JSON object is expected, not {type(document).__name__}")
            ParseDict(
                _with_plain_ids(document, Counter(_JSON_PARTS)),
                request,
                ignore_unknown_fields=True,
                max_recursion_depth=100,
            )
        else:
            request.ParseFromString(body)
    except (DecodeError, ParseError, ValueError, RecursionError, TypeError, AttributeError) as error:
        raise TelemetryRefused(400, f"not OTLP: {str(error)[:200]}") from None
    return decode(request, service, counter)


def _with_plain_ids(value: Any, counter: Counter) -> Any:
    """Return OTLP's JSON as protobuf's: ids, which are hexadecimal there, in base64."""
    if isinstance(value, dict):
        counter.add(len(value))
        if isinstance(attributes := value.get("attributes"), list):
            counter.add_attributes(len(attributes))
        return {
            key: base64.b64encode(bytes.fromhex(part)).decode()
            if key in _IDS and isinstance(part, str)
            else _with_plain_ids(part, counter)
            for key, part in value.items()
        }
    if isinstance(value, list):
        if len(value) > VALUES:  # what is made of it is far slower than this look at it
            raise TelemetryRefused(413, f"{len(value)} records in one place: at most {VALUES} are taken")
        counter.add(len(value))
        return [_with_plain_ids(part, counter) for part in value]
    return value


def _traces(request: Any, service: Callable[[Mapping[str, Any]], str], counter: Counter) -> Batch:
    batch = Batch()
    counter.add(len(request.resource_spans))
    for resource in request.resource_spans:
        counter.add(len(resource.scope_spans))
        owner = service(_attributes(resource.resource.attributes, counter))
        for scope in resource.scope_spans:
            counter.add(len(scope.spans))
            batch.spans += [_span(span, owner, counter) for span in scope.spans]
    return batch


def _span(span: Any, service: str, counter: Counter) -> Span:
    counter.add(len(span.links) + len(span.events))
    return Span(
        service,
        span.name,
        _KINDS[span.kind] if 0 <= span.kind < len(_KINDS) else "internal",
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        span.start_time_unix_nano / _NANO,
        span.end_time_unix_nano / _NANO,
        _STATUS[span.status.code] if 0 <= span.status.code < len(_STATUS) else "unset",
        span.status.message,
        _attributes(span.attributes, counter),
        tuple(Link(link.trace_id.hex(), link.span_id.hex()) for link in span.links),
        tuple(
            {
                "name": event.name,
                "at": event.time_unix_nano / _NANO,
                "attributes": _attributes(event.attributes, counter),
            }
            for event in span.events
        ),
    )


def _logs(request: Any, service: Callable[[Mapping[str, Any]], str], counter: Counter) -> Batch:
    batch = Batch()
    counter.add(len(request.resource_logs))
    for resource in request.resource_logs:
        counter.add(len(resource.scope_logs))
        owner = service(_attributes(resource.resource.attributes, counter))
        for scope in resource.scope_logs:
            counter.add(len(scope.log_records))
            batch.logs += [_log(record, owner, counter) for record in scope.log_records]
    return batch


def _log(record: Any, service: str, counter: Counter) -> LogRecord:
    body = _value(record.body, counter)
    return LogRecord(
        service,
        (record.time_unix_nano or record.observed_time_unix_nano) / _NANO,
        _LEVELS[min(max(record.severity_number - 1, 0) // 4, 5)] if record.severity_number else "info",
        body if isinstance(body, str) else json.dumps(body, default=str),
        record.trace_id.hex(),
        record.span_id.hex(),
        _attributes(record.attributes, counter),
    )


def _metrics(request: Any, service: Callable[[Mapping[str, Any]], str], counter: Counter) -> Batch:
    batch = Batch()
    counter.add(len(request.resource_metrics))
    for resource in request.resource_metrics:
        counter.add(len(resource.scope_metrics))
        owner = service(_attributes(resource.resource.attributes, counter))
        for scope in resource.scope_metrics:
            counter.add(len(scope.metrics))
            for metric in scope.metrics:
                batch.points += _points(metric, owner, counter)
    return batch


def _points(metric: Any, service: str, counter: Counter) -> Iterable[Point]:
    shape = metric.WhichOneof("data")
    if shape is None:
        return
    data = getattr(metric, shape)
    counter.add(len(data.data_points))
    cumulative = getattr(data, "aggregation_temporality", _CUMULATIVE) == _CUMULATIVE
    for point in data.data_points:
        plain = shape in ("gauge", "sum")
        recorded = {} if plain else _recorded(point, counter)
        value = (point.as_double if point.WhichOneof("value") == "as_double" else point.as_int) if plain else point.sum
        yield Point(
            service,
            metric.name,
            point.time_unix_nano / _NANO,
            value if math.isfinite(value) else 0.0,
            _attributes(point.attributes, counter),
            grows=shape != "gauge" and getattr(data, "is_monotonic", True),
            since=point.start_time_unix_nano / _NANO if cumulative else None,
            count=None if plain else point.count,
            unit=metric.unit,
            **recorded,
        )


def _recorded(point: Any, counter: Counter) -> dict[str, Any]:
    """Return what a point of a histogram tells of single values; a summary and an exponential histogram tell less."""
    told = point.DESCRIPTOR.fields_by_name
    low, high = (getattr(point, name) if name in told and point.HasField(name) else None for name in ("min", "max"))
    buckets, bounds = (tuple(getattr(point, name, ())) for name in ("bucket_counts", "explicit_bounds"))
    counter.add(len(buckets) + len(bounds))
    whole = len(buckets) == len(bounds) + 1 and all(map(math.isfinite, bounds))
    return {
        "low": low if low is not None and math.isfinite(low) else None,
        "high": high if high is not None and math.isfinite(high) else None,
        "buckets": buckets if whole else (),
        "bounds": bounds if whole else (),
    }


def _attributes(pairs: Any, counter: Counter) -> dict[str, Any]:
    counter.add_attributes(len(pairs))
    return {pair.key: _value(pair.value, counter) for pair in pairs}


def _value(value: Any, counter: Counter) -> Any:
    match value.WhichOneof("value"):
        case None:
            return None
        case "array_value":
            counter.add_attributes(len(value.array_value.values))
            return [_value(each, counter) for each in value.array_value.values]
        case "kvlist_value":
            return _attributes(value.kvlist_value.values, counter)
        case "bytes_value":
            return {"base64": base64.b64encode(value.bytes_value).decode()}
        case name:
            return getattr(value, name)


_SIGNALS: Mapping[str, tuple[Callable[[], Any], Decode]] = {
    "traces": (ExportTraceServiceRequest, _traces),
    "metrics": (ExportMetricsServiceRequest, _metrics),
    "logs": (ExportLogsServiceRequest, _logs),
}
