"""Durations and moments as the administration API writes them (S-85)."""

from __future__ import annotations

from datetime import UTC, datetime

from peeklock.durations import format_iso, parse_iso
from peeklock.servicebus.broker.errors import ArgumentError

FOREVER = "P10675199DT2H48M5.4775807S"
_MOST = 10_675_199 * 86_400.0
"""Clients that calculate with it round it; nothing else is as long."""


def read_span(text: str, name: str) -> float | None:
    """Return the seconds of an ISO 8601 duration, None for "forever". Raises `ArgumentError` that names the property."""
    total = parse_iso(text)
    if total is None or total == float("inf"):
        raise ArgumentError(f"{name}: '{text[:60]}' is no duration such as PT1M.")
    return None if total >= _MOST else total


def write_span(seconds: float | None) -> str:
    """Write seconds as an ISO 8601 duration; None is "forever"."""
    return FOREVER if seconds is None else format_iso(seconds)


def write_moment(epoch: float) -> str:
    """Write epoch seconds as an ISO 8601 moment in UTC."""
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
