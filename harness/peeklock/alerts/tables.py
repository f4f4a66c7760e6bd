"""The log tables and the platform metrics that Peeklock fills, by Azure's names, with what each can be asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from peeklock.alerts.kql import Columns, Row

_OF_TELEMETRY: Final[Columns] = {
    "TimeGenerated": "datetime",
    "AppRoleName": "string",
    "AppRoleInstance": "string",
    "OperationId": "string",
    "ParentId": "string",
    "Properties": "dynamic",
    "ItemCount": "number",
}
_OPERATION: Final[Columns] = {
    **_OF_TELEMETRY,
    "Id": "string",
    "Name": "string",
    "DurationMs": "number",
    "Success": "bool",
    "ResultCode": "string",
}
TELEMETRY_TABLES: Final[Mapping[str, Columns]] = {
    "AppRequests": {**_OPERATION, "OperationName": "string", "Url": "string", "Source": "string"},
    "AppDependencies": {**_OPERATION, "DependencyType": "string", "Target": "string", "Data": "string"},
    "AppTraces": {**_OF_TELEMETRY, "Message": "string", "SeverityLevel": "number"},
    "AppExceptions": {
        **_OF_TELEMETRY,
        "SeverityLevel": "number",
        "ExceptionType": "string",
        "OuterType": "string",
        "OuterMessage": "string",
        "ProblemId": "string",
    },
    "AppEvents": {**_OF_TELEMETRY, "Name": "string"},
    "AppMetrics": {**_OF_TELEMETRY, "Name": "string", "Sum": "number", "Min": "number", "Max": "number"},
}
"""What services tell by OpenTelemetry or Application Insights."""
LINES: Final = "ContainerAppConsoleLogs"
CUSTOM_LINES: Final = f"{LINES}_CL"
"""The same lines, as workspaces without the newer table have them."""


def as_custom(rows: Sequence[Row]) -> list[Row]:
    """Return rows with the names that columns have in a custom log."""
    return [{key if key == "TimeGenerated" else f"{key}_s": value for key, value in row.items()} for row in rows]


TABLES: Final[Mapping[str, Columns]] = {
    "ContainerAppConsoleLogs": {
        "TimeGenerated": "datetime",
        "ContainerAppName": "string",
        "ContainerGroupName": "string",
        "Log": "string",
    },
    "ContainerAppConsoleLogs_CL": {
        "TimeGenerated": "datetime",
        "ContainerAppName_s": "string",
        "ContainerGroupName_s": "string",
        "Log_s": "string",
    },
    "StorageBlobLogs": {
        "TimeGenerated": "datetime",
        "OperationName": "string",
        "StatusCode": "string",
        "StatusText": "string",
        "ObjectKey": "string",
        "CallerApp": "string",
    },
    **TELEMETRY_TABLES,
}
"""Besides, the lines of services (`Log`: as written, so `parse_json(Log).event`), and the requests that came through the blob door."""

_CLOUD: Final = ("cloud/roleName", "cloud/roleInstance")
TELEMETRY_METRICS: Final[Mapping[str, tuple[str, ...]]] = {
    **{
        f"requests/{what}": ("request/resultCode", "request/success", *_CLOUD)
        for what in ("count", "failed", "duration")
    },
    **{
        f"dependencies/{what}": ("dependency/resultCode", "dependency/success", *_CLOUD)
        for what in ("count", "failed", "duration")
    },
    "exceptions/count": _CLOUD,
}
"""What Application Insights makes of telemetry by itself, with the dimensions."""

METRICS: Final[Mapping[str, tuple[str, ...]]] = {
    "ActiveMessages": ("EntityName",),
    "DeadletteredMessages": ("EntityName",),
    "ScheduledMessages": ("EntityName",),
    "IncomingMessages": ("EntityName",),
    "OutgoingMessages": ("EntityName",),
    "CompleteMessage": ("EntityName",),
    "AbandonMessage": ("EntityName",),
    "Transactions": ("ResponseType", "ApiName"),
    **TELEMETRY_METRICS,
}
"""The metrics that have a name of Azure's, with their dimensions; all others are services' own."""
