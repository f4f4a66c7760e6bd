"""What alert rules can look at in a case: the Service Bus, the requests to blobs, and the lines of services, by its clock."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from peeklock.alerts import Alert, Looks, Measured, Operator, Point, Row, Rule, alerts_of, looks
from peeklock.alerts.servicebus import servicebus_metrics
from peeklock.durations import format_duration
from peeklock.engine.context import CaseContext
from peeklock.engine.ledger import iso

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


@dataclass(frozen=True)
class Judged:
    """What has become of a rule, which was made as the case began, until the clock's present time."""

    alerts: list[Alert]
    nearest: str
    """The evaluation that came nearest to firing, in words."""


def judge(context: CaseContext, name: str) -> Judged:
    """Evaluate a rule of the file."""
    clock, rule = context.environment.clock, context.scenario.alerts[name]
    start, end = clock.shown(context.started_at), clock.now().timestamp()
    past = looks(rule, _measured(context, end), start, end)
    return Judged(alerts_of(rule, past), _nearest(rule, past))


def _nearest(rule: Rule, past: Looks) -> str:
    seen = [look for series in past.values() for look in series if look.values[0] is not None]
    if not rule.enabled:
        return f"{rule.name} is not enabled"
    if not seen:
        return f"{rule.name} saw no data; it is evaluated each {format_duration(rule.frequency)}"
    below = rule.conditions[0].operator in (Operator.LESS_THAN, Operator.LESS_THAN_OR_EQUAL)
    look = (min if below else max)(seen, key=lambda look: look.values[0] or 0.0)
    return f"at {iso(look.at)} {look.why}"


def _measured(context: CaseContext, end: float) -> Measured:
    context.ledger.refresh()
    blobs = list(_blob_requests(context))
    lines = [(line.at, line.service, line.replica, line.text) for line in _lines(context)]
    return Measured(
        {**servicebus_metrics(context.ledger.entries, end), "Transactions": [_transaction(row) for row in blobs]},
        {
            "StorageBlobLogs": blobs,
            "ContainerAppConsoleLogs": [
                {"TimeGenerated": _moment(context, at), "ContainerAppName": name, "ContainerGroupName": f"{name}.{replica}", "Log": text}
                for at, name, replica, text in lines
            ],
            "ContainerAppConsoleLogs_CL": [
                {"TimeGenerated": _moment(context, at), "ContainerAppName_s": name, "ContainerGroupName_s": f"{name}.{replica}", "Log_s": text}
                for at, name, replica, text in lines
            ],
        },
    )  # fmt: skip


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
