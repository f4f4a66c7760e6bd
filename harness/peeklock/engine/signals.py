"""What alert rules can look at in a case: the Service Bus, the requests to blobs, and what services log and tell, by its clock."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from peeklock.alerts import Measured, Point, Row
from peeklock.alerts.servicebus import servicebus_metrics
from peeklock.alerts.tables import CUSTOM_LINES, METRICS, TABLES, TELEMETRY_METRICS, TELEMETRY_TABLES, as_custom
from peeklock.engine.application_insights import custom_metrics, standard_metric, table
from peeklock.engine.context import CaseContext

_OPERATIONS = {
    ("GET", ""): "GetBlob",
    ("HEAD", ""): "GetBlobProperties",
    ("PUT", ""): "PutBlob",
    ("DELETE", ""): "DeleteBlob",
    ("GET", "list"): "ListBlobs",
    ("PUT", "block"): "PutBlock",
    ("PUT", "blocklist"): "PutBlockList",
    ("PUT", "copy"): "CopyBlob",
    ("PUT", "lease"): "AcquireBlobLease",
    ("PUT", "metadata"): "SetBlobMetadata",
    ("POST", "userdelegationkey"): "GetUserDelegationKey",
}


def measured(context: CaseContext, end: float, wanted: Collection[str]) -> Measured:
    """Return the metrics and tables of these names until `end`, in epoch seconds of the case's clock."""
    tables = {name: _table(context, name) for name in wanted if name in TABLES}
    return Measured(dict(_metrics(context, end, [name for name in wanted if name not in TABLES])), tables)


def everything(context: CaseContext, end: float) -> Measured:
    """Return all that there is until `end`, lines once."""
    telemetry = context.environment.telemetry
    own = {series.name for series in telemetry.series()} if telemetry is not None else set()
    found = measured(context, end, [*(TABLES.keys() - {CUSTOM_LINES}), *METRICS, *own])
    return Measured(
        {name: points for name, points in found.metrics.items() if points},
        {name: rows for name, rows in found.tables.items() if rows},
    )


def _metrics(context: CaseContext, end: float, wanted: Sequence[str]) -> Iterator[tuple[str, Sequence[Point]]]:
    telemetry = context.environment.telemetry
    own = custom_metrics(telemetry.series()) if telemetry is not None else {}
    bus: Mapping[str, Sequence[Point]] | None = None
    for name in wanted:
        if name == "Transactions":
            yield name, [_transaction(row) for row in _blob_requests(context)]
        elif name in TELEMETRY_METRICS:
            yield name, standard_metric(name, telemetry) if telemetry is not None else []
        elif name in METRICS:
            if bus is None:
                context.ledger.refresh()
                bus = servicebus_metrics(context.ledger.entries, end)
            yield name, bus.get(name, ())
        else:
            yield name, own.get(name, ())


def _table(context: CaseContext, name: str) -> Sequence[Row]:
    telemetry = context.environment.telemetry
    if name in TELEMETRY_TABLES:
        return table(name, telemetry) if telemetry is not None else []
    if name == "StorageBlobLogs":
        return list(_blob_requests(context))
    lines: list[Row] = [
        {
            "TimeGenerated": _moment(context, line.at),
            "ContainerAppName": line.service,
            "ContainerGroupName": f"{line.service}.{line.replica}",
            "Log": line.text,
        }
        for line in _lines(context)
    ]
    return as_custom(lines) if name == CUSTOM_LINES else lines


def _lines(context: CaseContext) -> list[Any]:
    lines, _ = context.environment.services.logs(context.log_cursor)
    return sorted(lines, key=lambda line: line.at)


def _moment(context: CaseContext, at: float) -> datetime:
    return datetime.fromtimestamp(context.environment.clock.shown(at), UTC)


def _blob_requests(context: CaseContext) -> Iterator[Row]:
    door = context.environment.standins.get("blobs")
    for entry in sorted(door.journal.entries() if door is not None else (), key=lambda entry: entry.at):
        view = entry.view
        yield {
            "TimeGenerated": _moment(context, entry.at),
            "OperationName": _OPERATIONS.get((view["method"], view.get("operation", "")), view["method"]),
            "StatusCode": str(view["status"]),
            "StatusText": view.get("error", "Success"),
            "ObjectKey": view["path"],
            "CallerApp": view.get("caller", ""),
        }


def _transaction(row: Row) -> Point:
    status = row["StatusCode"]
    kind = {"401": "AuthenticationError", "403": "AuthorizationError", "503": "ServerBusyError"}.get(status)
    kind = kind or {"4": "ClientOtherError", "5": "ServerOtherError"}.get(status[0], "Success")
    return Point(row["TimeGenerated"].timestamp(), 1, {"ResponseType": kind, "ApiName": row["OperationName"]})
