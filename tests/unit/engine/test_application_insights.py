"""Telemetry looks in queries and metric rules as it does in Application Insights."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from peeklock.alerts import compile_query
from peeklock.alerts.tables import TELEMETRY_METRICS, TELEMETRY_TABLES
from peeklock.engine.application_insights import custom_metrics, standard_metric, table
from peeklock.telemetry import EVENT, Batch, LogRecord, Point, Series, Span, Telemetry

TRACE, ID = "a" * 32, "b" * 16
REQUEST = Span(
    "api.1", "GET /orders", "server", TRACE, ID, "", 1000.0, 1000.25, attributes={"http.response.status_code": 200}
)
FAILED = replace(REQUEST, status="error", attributes={"http.response.status_code": 503, "url.path": "/orders"})
QUERY = Span("api.1", "SELECT", "client", TRACE, ID, ID, 1000.1, 1000.2, attributes={"db.system": "postgresql"})
RAISED = replace(
    QUERY,
    events=({"name": "exception", "at": 1000.15, "attributes": {"exception.type": "ValueError"}},),
)
LINE = LogRecord("worker", 1001.0, "warning", "slow", TRACE, ID, {"order": 17})
THROWN = LogRecord("worker", 1002.0, "error", "no such order", TRACE, ID, {"exception.type": "KeyError"})
PAID = LogRecord("api", 1003.0, "info", "paid", TRACE, ID, {"order": 17, EVENT: "paid"})
COUNTED = Point("worker", "settled", 1010.0, 5, {"queue": "jobs"}, grows=True, since=900.0)
TOOK = Point(
    "api",
    "took",
    1010.0,
    3.0,
    grows=True,
    since=900.0,
    count=3,
    low=0.5,
    high=1.5,
    bounds=(1.0, 2.0),
    buckets=(1, 2, 0),
)


def telemetry(*spans: Span, logs: tuple[LogRecord, ...] = (), points: tuple[Point, ...] = ()) -> Telemetry:
    made = Telemetry(lambda: 1100.0)
    made.add(Batch(list(spans), list(points), list(logs)), 1)
    return made


def answer(query: str, **kept: Any) -> list[dict[str, Any]]:
    compiled = compile_query(query, TELEMETRY_TABLES)
    rows = table(compiled.table, telemetry(REQUEST, FAILED, RAISED, **kept))
    assert all(set(TELEMETRY_TABLES[compiled.table]) <= set(row) for row in rows)
    return [dict(row) for row in compiled.run({compiled.table: rows}, now=1100.0)]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("AppRequests | summarize p = percentile(DurationMs, 95) by AppRoleName", [{"AppRoleName": "api", "p": 250.0}]),
        ('AppRequests | where ResultCode startswith "5" | project Url, Success', [{"Url": "/orders", "Success": False}]),
        ("AppRequests | summarize r = 100.0 * countif(not(Success)) / count()", [{"r": 50.0}]),
        ("AppDependencies | project Name, DependencyType", [{"Name": "SELECT", "DependencyType": "postgresql"}]),
        ("AppExceptions | project ExceptionType, AppRoleInstance", [
            {"ExceptionType": "ValueError", "AppRoleInstance": "api.1"},
            {"ExceptionType": "KeyError", "AppRoleInstance": "worker"},
        ]),
        ('AppTraces | where Properties.order == "17" | project Message, SeverityLevel', [
            {"Message": "slow", "SeverityLevel": 2},
        ]),
        ("AppEvents | project Name, Properties", [{"Name": "paid", "Properties": {"order": "17"}}]),
        ("AppMetrics | project Name, Sum, Min, Max, ItemCount", [
            {"Name": "took", "Sum": 3.0, "Min": 0.5, "Max": 1.5, "ItemCount": 3},
            {"Name": "settled", "Sum": 5, "Min": 5, "Max": 5, "ItemCount": 1},
        ]),
    ],
)  # fmt: skip
def test_tables_hold_what_services_told(query: str, expected: list[dict[str, Any]]) -> None:
    """Requests and dependencies are spans; exceptions are their events, or log records."""
    assert answer(query, logs=(LINE, THROWN, PAID), points=(COUNTED, TOOK)) == expected


@pytest.mark.parametrize(("name", "expected"), [
    ("requests/count", [1, 1]), ("requests/failed", [1]), ("requests/duration", [250.0, 250.0]),
    ("dependencies/count", [1]), ("dependencies/failed", []), ("dependencies/duration", [100.0]), ("exceptions/count", [1]),
])  # fmt: skip
def test_standard_metrics_are_made_of_spans(name: str, expected: list[float]) -> None:
    """Each has the dimensions that rules are checked against."""
    points = standard_metric(name, telemetry(REQUEST, FAILED, RAISED))
    assert [point.value for point in points] == expected
    assert all(set(point.dimensions) == set(TELEMETRY_METRICS[name]) for point in points)


def of(*points: Point, before: Point | None = None) -> list[tuple[float, float, int, float, float]]:
    series = Series(points[0].service, points[0].name, points[0].attributes, points, before)
    (found,) = custom_metrics([series]).values()
    return [(each.at, each.value, each.count, each.lowest, each.highest) for each in found]


def test_a_counter_is_its_increase_in_each_minute() -> None:
    """However often it was exported; what it counted before the case is not in it, and a minute without any has no point."""
    later = [replace(COUNT, at=at, value=value) for COUNT, at, value in [
        (COUNTED, 1015.0, 6), (COUNTED, 1025.0, 9), (COUNTED, 1090.0, 9), (COUNTED, 1150.0, 10),
    ]]  # fmt: skip
    assert of(*later, before=COUNTED) == [(1020.0, 1, 1, 1, 1), (1080.0, 3, 1, 3, 3), (1200.0, 1, 1, 1, 1)]


def test_a_gauge_is_its_value_at_each_minute() -> None:
    """Also at those over which the clock was moved."""
    gauge = replace(COUNTED, grows=False)
    assert of(gauge, replace(gauge, at=1130.0, value=7)) == [
        (1020.0, 5, 1, 5, 5), (1080.0, 5, 1, 5, 5), (1140.0, 7, 1, 7, 7),
    ]  # fmt: skip


def test_a_histogram_is_what_it_recorded_between_two_exports() -> None:
    """An export that brings nothing new is no point."""
    more = replace(TOOK, at=1020.0, value=8.0, count=4, high=5.0, buckets=(1, 2, 1))
    assert of(more, replace(more, at=1030.0), before=TOOK) == [(1020.0, 5.0, 1, 5.0, 5.0)]


def test_what_application_insights_clients_send_stays_as_it_came() -> None:
    sent = replace(TOOK, since=None, bounds=(), buckets=())
    assert of(sent, replace(sent, at=1011.0)) == [(1010.0, 3.0, 3, 0.5, 1.5), (1011.0, 3.0, 3, 0.5, 1.5)]


def test_a_metric_belongs_to_its_service_and_replica() -> None:
    series = Series("worker.1", "settled", {"queue": "jobs", "ok": True}, (COUNTED,))
    (point,) = custom_metrics([series])["settled"]
    assert point.dimensions == {
        "queue": "jobs", "ok": "True", "cloud/roleName": "worker", "cloud/roleInstance": "worker.1",
    }  # fmt: skip
