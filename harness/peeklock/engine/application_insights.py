"""What Application Insights shows of telemetry: its tables, by the names and columns of a Log Analytics workspace, and its metrics.

Times are those of the services' clocks, which are the case's. Source: documentation of Azure Monitor, "Azure Monitor Logs table
reference" and "Supported metrics for Microsoft.Insights/components"; which span is what: azure-monitor-opentelemetry-exporter.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from peeklock.alerts import Point, Row, sampled, summed
from peeklock.telemetry import EVENT, LogRecord, Series, Span, Telemetry, service_of

_CODES = ("http.response.status_code", "http.status_code", "rpc.grpc.status_code", "responseCode", "resultCode")
_TARGETS = ("target", "server.address", "net.peer.name", "peer.service")
_TYPES = ("type", "db.system.name", "db.system", "rpc.system", "messaging.system")
_URLS = ("url", "url.full", "http.url", "url.path", "http.target")
_STATEMENTS = ("data", "db.query.text", "db.statement")
_SEVERITIES = {"trace": 0, "debug": 0, "info": 1, "warning": 2, "error": 3, "critical": 4}
_OF = {"requests": ("AppRequests", "request"), "dependencies": ("AppDependencies", "dependency")}


def table(name: str, telemetry: Telemetry) -> list[Row]:
    """Return the rows of `AppRequests`, `AppDependencies`, `AppTraces`, `AppExceptions`, `AppEvents` or `AppMetrics`, by their times."""
    match name:
        case "AppRequests":
            rows: Iterable[Row] = (_request(span) for span in telemetry.spans() if _is_request(span))
        case "AppDependencies":
            rows = (_dependency(span) for span in telemetry.spans() if not _is_request(span))
        case "AppTraces":
            plain = (
                record for record in telemetry.logs() if not _is_exception(record) and EVENT not in record.attributes
            )
            rows = map(_trace, plain)
        case "AppEvents":
            rows = (_event(record) for record in telemetry.logs() if EVENT in record.attributes)
        case "AppExceptions":
            rows = _exceptions(telemetry.spans(), telemetry.logs())
        case "AppMetrics":
            metrics = custom_metrics(telemetry.series())
            rows = (_metric(name, point) for name, points in metrics.items() for point in points)
        case _:
            raise ValueError(name)
    return sorted(rows, key=lambda row: row["TimeGenerated"])


def custom_metrics(series: Iterable[Series]) -> dict[str, list[Point]]:
    """Return the points of what services measure themselves, by the metrics' names and in the order of their times.

    A counter's are its increases and a gauge's its values, one a minute, as clients export them in production; a histogram's are
    what it recorded between two exports. Those of Application Insights' own clients, which do not tell their kind, stay as
    they came.
    """
    found: dict[str, list[Point]] = defaultdict(list)
    for each in series:
        found[each.name] += _points(each)
    return {name: sorted(points, key=lambda point: point.at) for name, points in found.items()}


def standard_metric(name: str, telemetry: Telemetry) -> list[Point]:
    """Return the points of a metric that Application Insights makes by itself, such as `requests/failed`."""
    what, _, measure = name.partition("/")
    if what == "exceptions":
        return [Point(_at(row), 1, _of_cloud(row)) for row in table("AppExceptions", telemetry)]
    rows, kind = table(_OF[what][0], telemetry), _OF[what][1]
    return [
        Point(
            _at(row),
            row["DurationMs"] if measure == "duration" else 1,
            {f"{kind}/resultCode": row["ResultCode"], f"{kind}/success": str(row["Success"])} | _of_cloud(row),
        )
        for row in rows
        if measure != "failed" or not row["Success"]
    ]


def _at(row: Row) -> float:
    moment: datetime = row["TimeGenerated"]
    return moment.timestamp()


def _of_cloud(row: Row) -> dict[str, str]:
    return {"cloud/roleName": row["AppRoleName"], "cloud/roleInstance": row["AppRoleInstance"]}


def _points(series: Series) -> Iterator[Point]:
    dimensions = {key: _text(value) for key, value in series.attributes.items()}
    dimensions |= {"cloud/roleName": service_of(series.service), "cloud/roleInstance": series.service}
    last = series.points[-1]
    if last.count is not None or (last.grows and last.since is None):
        for change in series.changes():
            if change.count or last.count is None:
                yield Point(change.at, change.value, dimensions, change.count or 1, change.low, change.high)
    else:
        if last.grows:
            told = summed((change.at, change.value) for change in series.changes() if change.value)
        else:
            told = sampled(((point.at, point.value) for point in series.points), last.at + 60)
        for at, value in told:
            yield Point(at, value, dimensions)


def _is_request(span: Span) -> bool:
    return span.kind in ("server", "consumer")


def _is_exception(record: LogRecord) -> bool:
    return "exception.type" in record.attributes or "exception.message" in record.attributes


def _request(span: Span) -> Row:
    return _operation(span) | {
        "OperationName": span.name,
        "Url": _first(span, _URLS),
        "Source": _first(span, ("source",)),
    }


def _dependency(span: Span) -> Row:
    kind = _first(span, _TYPES) or ("HTTP" if _first(span, _CODES) else "InProc" if span.kind == "internal" else "")
    return _operation(span) | {
        "DependencyType": kind,
        "Target": _first(span, _TARGETS),
        "Data": _first(span, (*_STATEMENTS, *_URLS)),
    }


def _operation(span: Span) -> dict[str, Any]:
    code = _first(span, _CODES) or "0"
    return _common(span.service, span.start, span.trace_id, span.parent_span_id, span.attributes) | {
        "Id": span.span_id,
        "Name": span.name,
        "DurationMs": round((span.end - span.start) * 1000, 3),
        "Success": span.status != "error" and not (code.isdecimal() and 400 <= int(code) < 600),
        "ResultCode": code,
    }


def _trace(record: LogRecord) -> Row:
    return _of_record(record) | {"Message": record.text}


def _event(record: LogRecord) -> Row:
    attributes = dict(record.attributes)
    name = _text(attributes.pop(EVENT))
    return _common(record.service, record.at, record.trace_id, record.span_id, attributes) | {"Name": name}


def _exceptions(spans: Iterable[Span], records: Iterable[LogRecord]) -> Iterator[Row]:
    for record in records:
        if _is_exception(record):
            yield _of_record(record) | _thrown(record.attributes, record.text)
    for span in spans:
        for event in span.events:
            if event["name"] == "exception":
                at, attributes = event.get("at", span.end), event["attributes"]
                common = _common(span.service, at, span.trace_id, span.span_id, attributes)
                yield common | {"SeverityLevel": _SEVERITIES["error"]} | _thrown(attributes, "")


def _thrown(attributes: Mapping[str, Any], otherwise: str) -> dict[str, Any]:
    kind, message = (_text(attributes.get(f"exception.{key}") or "") for key in ("type", "message"))
    return {"ExceptionType": kind, "OuterType": kind, "OuterMessage": message or otherwise, "ProblemId": kind}


def _metric(name: str, point: Point) -> Row:
    own = dict(point.dimensions)
    service, process = own.pop("cloud/roleName"), own.pop("cloud/roleInstance")
    return _common(process, point.at, "", "", own) | {
        "AppRoleName": service,
        "Name": name,
        "Sum": point.value,
        "Min": point.lowest,
        "Max": point.highest,
        "ItemCount": point.count,
    }


def _of_record(record: LogRecord) -> dict[str, Any]:
    common = _common(record.service, record.at, record.trace_id, record.span_id, record.attributes)
    return common | {"SeverityLevel": _SEVERITIES[record.level]}


def _common(process: str, at: float, trace_id: str, parent: str, attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "TimeGenerated": datetime.fromtimestamp(at, UTC),
        "OperationId": trace_id,
        "ParentId": parent,
        "AppRoleName": service_of(process),
        "AppRoleInstance": process,
        "Properties": {key: _text(value) for key, value in attributes.items()},
        "ItemCount": 1,
    }


def _first(span: Span, keys: Iterable[str]) -> str:
    return next((_text(span.attributes[key]) for key in keys if span.attributes.get(key)), "")


def _text(value: Any) -> str:
    """Return an attribute as Azure keeps it: everything is a text there."""
    return str(value) if isinstance(value, str | int | float) else json.dumps(value, default=str)
