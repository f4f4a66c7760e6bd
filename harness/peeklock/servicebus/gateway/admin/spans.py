"""Durations and moments as the administration API writes them (S-85)."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from peeklock.servicebus.broker.errors import ArgumentError

FOREVER = "P10675199DT2H48M5.4775807S"
_MOST = 10_675_199 * 86_400.0
"""Clients that calculate with it round it; nothing else is as long."""
_SPAN = re.compile(
    r"P(?!$)(?:(?P<days>\d{1,9})D)?"
    r"(?:T(?=\d)(?:(?P<hours>\d{1,9})H)?(?:(?P<minutes>\d{1,9})M)?(?:(?P<seconds>\d{1,12}(?:\.\d{1,9})?)S)?)?"
)


def read_span(text: str, name: str) -> float | None:
    """Return the seconds of an ISO 8601 duration, None for "forever". Raises `ArgumentError` that names the property."""
    match = _SPAN.fullmatch(text.strip())
    if match is None:
        raise ArgumentError(f"{name}: '{text[:60]}' is no duration such as PT1M.")
    days, hours, minutes, seconds = (float(match[part] or 0) for part in ("days", "hours", "minutes", "seconds"))
    total = days * 86_400 + hours * 3_600 + minutes * 60 + seconds
    return None if total >= _MOST else total


def write_span(seconds: float | None) -> str:
    """Write seconds as an ISO 8601 duration; None is "forever"."""
    if seconds is None:
        return FOREVER
    whole = int(seconds)
    fraction = f"{seconds - whole:.7f}".rstrip("0")[1:].rstrip(".")
    days, rest = divmod(whole, 86_400)
    hours, rest = divmod(rest, 3_600)
    minutes, left = divmod(rest, 60)
    clock = "".join(
        f"{number}{letter}"
        for number, letter in ((hours, "H"), (minutes, "M"), (f"{left}{fraction}", "S"))
        if number != "0" and number
    )
    return "P" + (f"{days}D" if days else "") + (f"T{clock}" if clock else "" if days else "T0S")


def write_moment(epoch: float) -> str:
    """Write epoch seconds as an ISO 8601 moment in UTC."""
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
