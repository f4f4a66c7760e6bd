"""The log tables and the platform metrics that Peeklock fills, by Azure's names, with what each can be asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from peeklock.alerts.kql import Columns

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
}
"""The lines of services (`Log`: as written, so `parse_json(Log).event`), and the requests that came through the blob door."""

METRICS: Final[Mapping[str, tuple[str, ...]]] = {
    "ActiveMessages": ("EntityName",),
    "DeadletteredMessages": ("EntityName",),
    "ScheduledMessages": ("EntityName",),
    "IncomingMessages": ("EntityName",),
    "OutgoingMessages": ("EntityName",),
    "CompleteMessage": ("EntityName",),
    "AbandonMessage": ("EntityName",),
    "Transactions": ("ResponseType", "ApiName"),
}
"""The metrics of Service Bus and of storage, with their dimensions."""
