"""What services export is taken in every form that the protocols know; what hostile ones send is refused."""

from __future__ import annotations

import gzip
import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import httpx
import pytest

pytest.importorskip("opentelemetry.proto", reason="the extra `telemetry` is not installed")

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from peeklock.telemetry import LogRecord, Receiver, Span

TRACE, SPAN = "5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174"
PROTOBUF = {"content-type": "application/x-protobuf"}
JSON = {"content-type": "application/json"}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver(0, ["api", "worker", "worker.0", "worker.1"], time.time)
    yield made
    made.close()


@pytest.fixture
def services(receiver: Receiver) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://127.0.0.1:{receiver.port}", timeout=30) as client:
        yield client


def a_span(attributes: int = 1) -> bytes:
    request = ExportTraceServiceRequest()
    span = request.resource_spans.add().scope_spans.add().spans.add()
    span.name, span.trace_id, span.span_id = "settle", bytes.fromhex(TRACE), bytes.fromhex(SPAN)
    span.start_time_unix_nano, span.end_time_unix_nano = time.time_ns(), time.time_ns() + 5
    span.kind, span.status.code = 5, 2
    for number in range(attributes):
        attribute = span.attributes.add()
        attribute.key, attribute.value.int_value = f"n{number}", number
    return bytes(request.SerializeToString())


def envelope(base: str, facts: dict[str, Any], **tags: str) -> dict[str, Any]:
    at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() + 2)) + ".1234567Z"
    return {
        "name": f"Microsoft.ApplicationInsights.{base}",
        "time": at,
        "tags": tags,
        "data": {"baseType": base, "baseData": facts},
    }


def only_span(receiver: Receiver) -> Span:
    (span,) = receiver.telemetry.spans()
    return span


@pytest.mark.parametrize("compressed", [False, True])
def test_a_span_in_protobuf(receiver: Receiver, services: httpx.Client, compressed: bool) -> None:
    """It is of the service to whose address it came."""
    body, encoding = (gzip.compress(a_span()), {"content-encoding": "gzip"}) if compressed else (a_span(), {})
    answer = services.post("/worker.1/v1/traces", content=body, headers={**PROTOBUF, **encoding})
    assert (answer.status_code, answer.headers["content-type"], answer.content) == (200, "application/x-protobuf", b"")
    span = only_span(receiver)
    assert (span.service, span.name, span.kind, span.status) == ("worker.1", "settle", "consumer", "error")
    assert (span.trace_id, span.span_id, span.attributes) == (TRACE, SPAN, {"n0": 0})


def test_a_span_in_json_of_whoever_names_itself(receiver: Receiver, services: httpx.Client) -> None:
    """Ids are hexadecimal in OTLP's JSON, and 64-bit numbers are texts."""
    now = str(time.time_ns())
    span = {
        "traceId": TRACE,
        "spanId": SPAN,
        "name": "GET /",
        "kind": 2,
        "startTimeUnixNano": now,
        "endTimeUnixNano": now,
    }
    owner = {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]}
    document = {"resourceSpans": [{"resource": owner, "scopeSpans": [{"spans": [span]}]}]}
    assert services.post("/v1/traces", json=document).json() == {}
    found = only_span(receiver)
    assert (found.service, found.trace_id, found.span_id, found.kind) == ("shop", TRACE, SPAN, "server")


def test_a_log_record_in_protobuf(receiver: Receiver, services: httpx.Client) -> None:
    request = ExportLogsServiceRequest()
    record = request.resource_logs.add().scope_logs.add().log_records.add()
    record.time_unix_nano, record.severity_number, record.body.string_value = time.time_ns(), 17, "lost"
    record.trace_id = bytes.fromhex(TRACE)
    services.post("/api/v1/logs", content=request.SerializeToString(), headers=PROTOBUF)
    (found,) = receiver.telemetry.logs()
    assert found == LogRecord("api", found.at, "error", "lost", TRACE, "", {})


def test_a_histogram_in_protobuf(receiver: Receiver, services: httpx.Client) -> None:
    """With its extremes and buckets, where it tells of them."""
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add()
    metric.name, metric.histogram.aggregation_temporality = "took", 2
    told, silent = metric.histogram.data_points.add(), metric.histogram.data_points.add()
    for point in (told, silent):
        point.time_unix_nano, point.start_time_unix_nano, point.count, point.sum = time.time_ns(), 1, 2, 3.0
    told.min, told.max, told.bucket_counts[:], told.explicit_bounds[:] = 1.0, 2.0, [1, 1], [1.5]
    services.post("/api/v1/metrics", content=request.SerializeToString(), headers=PROTOBUF)
    first, second = receiver.telemetry.points()
    assert (first.value, first.count, first.low, first.high, first.bounds, first.buckets) == (
        3.0, 2, 1.0, 2.0, (1.5,), (1, 1),
    )  # fmt: skip
    assert (second.low, second.high, second.buckets) == (None, None, ())


@pytest.mark.parametrize("path", ["/api/v2/track", "/api/v2.1/track"])
@pytest.mark.parametrize("lines", [False, True])
def test_items_of_application_insights(receiver: Receiver, services: httpx.Client, path: str, lines: bool) -> None:
    """An array or lines; a request and a dependency are spans, joined by operation and parent."""
    asked = {
        "id": SPAN,
        "name": "POST /orders",
        "duration": "00:00:01.500",
        "success": False,
        "url": "http://x/",
        "responseCode": "500",
    }
    sent = {
        "id": "1" * 16,
        "name": "send",
        "duration": "0.00:00:00.0015000",
        "type": "Queue Message | servicebus",
        "properties": {"a": "b"},
    }
    tags = {"ai.operation.id": TRACE}
    items = [
        envelope("RequestData", asked, **tags),
        envelope("RemoteDependencyData", sent, **tags, **{"ai.operation.parentId": SPAN}),
    ]
    body = "\n".join(map(json.dumps, items)) if lines else json.dumps(items)
    answer = services.post(path, content=gzip.compress(body.encode()), headers={"content-encoding": "gzip"})
    assert answer.json() == {"itemsReceived": 2, "itemsAccepted": 2, "errors": []}
    first, second = receiver.telemetry.spans()
    assert (first.kind, first.status, round(first.end - first.start, 3), first.attributes["responseCode"]) == (
        "server",
        "error",
        1.5,
        "500",
    )
    assert (second.kind, second.parent_span_id, second.trace_id, second.attributes["a"]) == (
        "producer",
        SPAN,
        TRACE,
        "b",
    )


def test_an_exception_of_application_insights_is_a_log_record(receiver: Receiver, services: httpx.Client) -> None:
    facts = {
        "exceptions": [{"typeName": "ValueError", "message": "no such order", "stack": "at …"}],
        "severityLevel": "Critical",
    }
    services.post("/api/v2.1/track", json=[envelope("ExceptionData", facts, **{"ai.operation.id": TRACE})])
    (found,) = receiver.telemetry.logs()
    assert (found.level, found.text, found.trace_id) == ("critical", "no such order", TRACE)
    assert found.attributes["exception.type"] == "ValueError"


def test_an_item_that_cannot_be_read_is_named_and_the_others_are_kept(
    receiver: Receiver, services: httpx.Client
) -> None:
    good = {"id": SPAN, "name": "n", "duration": "00:00:01"}
    items = [envelope("RequestData", good), envelope("RequestData", {**good, "duration": "soon"}), 7]
    answer = services.post("/api/v2.1/track", json=items)
    assert (answer.status_code, answer.json()["itemsAccepted"]) == (206, 1)
    assert [error["index"] for error in answer.json()["errors"]] == [1, 2]
    assert only_span(receiver).span_id == SPAN
    assert "not a duration: 'soon'" in receiver.telemetry.refused[0]


def nested(depth: int) -> bytes:
    """An attribute in an attribute, and so on: as JSON, since protobuf's own library does not make so deep a one."""
    value = '{"kvlistValue":{"values":[{"key":"a","value":' * depth + '{"intValue":"1"}' + "}]}}" * depth
    attribute = '{"attributes":[{"key":"a","value":' + value + "}]}"
    return ('{"resourceSpans":[{"scopeSpans":[{"spans":[' + attribute + "]}]}]}").encode()


def wrapped(payload: bytes, *fields: int) -> bytes:
    """Protobuf that holds `payload` in a field of a field, the outermost first; in no time, however long it is."""
    for field in reversed(fields):
        size, rest = b"", len(payload)
        while rest > 127:
            size, rest = size + bytes([rest & 127 | 128]), rest >> 7
        payload = bytes([field << 3 | 2]) + size + bytes([rest]) + payload
    return payload


MILLION = wrapped(b"\x4a\x02\x0a\x00" * 1_000_000, 1, 2, 2)
"""One span with a million attributes, in less than the longest body."""


def a_histogram(buckets: int) -> bytes:
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add()
    point = metric.histogram.data_points.add()
    point.bucket_counts[:] = [0] * buckets
    return bytes(request.SerializeToString())


HOSTILE = {
    "bomb": (gzip.compress(b"\0" * (64 << 20)), {**PROTOBUF, "content-encoding": "gzip"}, 413),
    "long": (b"\0" * (9 << 20), PROTOBUF, 413),
    "a_hundred_megabytes_in_pieces": ([b"\0" * (1 << 20)] * 100, PROTOBUF, 413),
    "attributes": (a_span(1_001), PROTOBUF, 413),
    "a_million_attributes_in_json": (
        b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":[' + b"{}," * 999_999 + b"{}]}]}]}]}", JSON, 413,
    ),
    "a_million_of_nothing": (b"\x0a\x00" * 1_000_000, PROTOBUF, 413),
    "not_gzip": (b"hello", {**PROTOBUF, "content-encoding": "gzip"}, 400),
    "cut_off": (gzip.compress(a_span())[:-9], {**PROTOBUF, "content-encoding": "gzip"}, 400),
    "unknown_encoding": (b"hello", {**PROTOBUF, "content-encoding": "br"}, 415),
    "not_protobuf": (b"hello", PROTOBUF, 400),
    "a_million_records_of_nothing": (b'{"resourceSpans":[' + b"{}," * 999_999 + b"{}]}", JSON, 413),
    "deep": (b'{"resourceSpans":' * 100_000, JSON, 400),
    "odd_id": (b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"xyz"}]}]}]}', JSON, 400),
    "not_a_mapping": (b'"x"', JSON, 400),
    "unknown_type": (b"hello", {"content-type": "text/plain"}, 415),
    "a_million_attributes": (MILLION, PROTOBUF, 413),
    "a_million_attributes_that_compress": (
        gzip.compress(MILLION), {**PROTOBUF, "content-encoding": "gzip"}, 413,
    ),
    "attributes_in_attributes": (nested(2_000), JSON, 400),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_hostile_is_refused_and_said(receiver: Receiver, services: httpx.Client, name: str) -> None:
    """The next request is served, and whoever looks for spans is told why they are not there."""
    body, headers, status = HOSTILE[name]
    assert services.post("/worker/v1/traces", content=body, headers=headers).status_code == status
    assert len(receiver.telemetry.refused) == 1
    address = f"http://127.0.0.1:{receiver.port}/worker/v1/traces"
    assert httpx.post(address, content=a_span(1_000), headers=PROTOBUF).status_code == 200
    assert len(only_span(receiver).attributes) == 1_000


def test_what_is_not_there_is_told(services: httpx.Client) -> None:
    assert services.post("/worker/v1/profiles", content=b"").status_code == 404
    assert services.get("/worker/v1/traces").status_code == 405
    assert services.post("/api/QuickPulseService.svc/ping", content=b"[]").headers["x-ms-qps-subscribed"] == "false"


def test_a_web_page_cannot_send_any(receiver: Receiver, services: httpx.Client) -> None:
    answer = services.post(
        "/worker/v1/traces", content=a_span(), headers={**PROTOBUF, "origin": "https://page.example"}
    )
    assert answer.status_code == 403
    assert receiver.telemetry.spans() == []


def test_of_a_hundred_megabytes_no_more_is_taken_than_of_others(receiver: Receiver, services: httpx.Client) -> None:
    """The connection ends, with or without an answer that the client still reads."""
    sent = 0
    head = f"POST /worker/v1/traces HTTP/1.1\r\nHost: 127.0.0.1:{receiver.port}\r\nContent-Length: {100 << 20}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", receiver.port), 30) as connection, suppress(ConnectionError):
        connection.sendall(head.encode())
        while sent < 100 << 20:
            sent += connection.send(b"\0" * (1 << 20))
    assert sent < 100 << 20
    assert services.post("/api/v1/traces", content=a_span(), headers=PROTOBUF).status_code == 200
    assert "longer than 8388608 bytes" in receiver.telemetry.refused[0]


def test_a_histogram_of_too_many_buckets_is_refused(receiver: Receiver, services: httpx.Client) -> None:
    assert services.post("/worker/v1/metrics", content=a_histogram(300_000), headers=PROTOBUF).status_code == 413
    assert receiver.telemetry.series() == []


@pytest.mark.parametrize("body", [b"[" * 200_000, gzip.compress(b" " * (64 << 20))], ids=["deep", "bomb"])
def test_hostile_items_of_application_insights_are_refused(
    receiver: Receiver, services: httpx.Client, body: bytes
) -> None:
    encoding = {"content-encoding": "gzip"} if body.startswith(b"\x1f") else {}
    assert services.post("/worker/v2.1/track", content=body, headers=encoding).status_code in (400, 413)
    assert len(receiver.telemetry.refused) == 1


def test_others_are_served_while_somebody_is_hostile(receiver: Receiver, services: httpx.Client) -> None:
    """None of their spans is lost."""
    address = f"http://127.0.0.1:{receiver.port}/worker/v1/traces"
    bomb, headers, _ = HOSTILE["bomb"]
    with ThreadPoolExecutor(2) as pool:
        hostile = [pool.submit(httpx.post, address, content=bomb, headers=headers, timeout=60) for _ in range(20)]
        for _ in range(50):
            assert services.post("/api/v1/traces", content=a_span(), headers=PROTOBUF).status_code == 200
        assert {each.result().status_code for each in hostile} == {413}
    assert len(receiver.telemetry.spans()) == 50
