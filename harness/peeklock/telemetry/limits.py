"""How much telemetry is taken."""

from __future__ import annotations

BODY = 8 << 20
"""Bytes of one request, before and after inflation."""
ATTRIBUTES = 1_000
"""Of one record, or parts of one attribute; SDKs stop at 128."""
VALUES = 250_000
"""Records and attributes of one request."""
CASE_VALUES = 2_000_000
"""The same of one case."""
CASE_BYTES = 256 << 20
"""Bytes of the requests of one case, inflated."""


class TelemetryRefused(Exception):
    """Telemetry that is not taken: the status of the answer, and the reason."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Counter:
    """Counts the values of one request as they are read, so that too many are refused before they are made."""

    def __init__(self, most: int = VALUES) -> None:
        self.values = 0
        self._most = most

    def add(self, count: int) -> None:
        """Count records or parts of them. Raises `TelemetryRefused`."""
        self.values += count
        if self.values > self._most:
            raise TelemetryRefused(413, f"more than {self._most} records and attributes in one request")

    def add_attributes(self, count: int) -> None:
        """Count the attributes of one record. Raises `TelemetryRefused`."""
        if count > ATTRIBUTES:
            raise TelemetryRefused(413, f"{count} attributes in one place: at most {ATTRIBUTES} are taken")
        self.add(count)
