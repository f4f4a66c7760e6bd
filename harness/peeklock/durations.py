"""Durations as people write them (`20s`, `10m1s`, `-2h`) and as ISO 8601 does (`PT20S`, `P1DT2H`): one reader and one writer each."""

from __future__ import annotations

import re

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
PATTERN = rf"[+-]?(?:{_PART.pattern})+"
"""A regular expression for what `parse_duration` reads."""
_WHOLE = re.compile(PATTERN)
_ISO = re.compile(
    r"P(?!$)(?:(?P<years>\d+)Y)?(?:(?P<months>\d+)M)?(?:(?P<days>\d+)D)?"
    r"(?:T(?=\d)(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?"
)
_ISO_UNITS = {
    "years": 365 * 86_400.0, "months": 30 * 86_400.0, "days": 86_400.0, "hours": 3600.0, "minutes": 60.0, "seconds": 1.0,
}  # fmt: skip


def parse_duration(text: str) -> float:
    """Return the duration in seconds; raise `ValueError` when `text` is not one.

    >>> parse_duration("10m1s"), parse_duration("-2h")
    (601.0, -7200.0)
    """
    stripped = text.strip().replace(" ", "")
    if not _WHOLE.fullmatch(stripped):
        raise ValueError(f"not a duration: {text!r} (write for example 500ms, 20s, 10m, 1h30m or 15d)")
    seconds = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(stripped))
    return -seconds if stripped.startswith("-") else seconds


def format_duration(seconds: float) -> str:
    """Return the shortest exact spelling that `parse_duration` reads back, to the millisecond."""
    milliseconds = round(abs(seconds) * 1000)
    parts = []
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, milliseconds = divmod(milliseconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return ("-" if seconds < 0 else "") + ("".join(parts) or "0s")


def parse_iso(text: str) -> float | None:
    """Return the seconds of an ISO 8601 duration, of which a year has 365 days and a month 30; None when `text` is not one.

    >>> parse_iso("PT1M"), parse_iso("P1DT0.5S"), parse_iso("PT14D")
    (60.0, 86400.5, None)
    """
    match = _ISO.fullmatch(text.strip())
    if match is None:
        return None
    return sum(float(match[name]) * size for name, size in _ISO_UNITS.items() if match[name])


def format_iso(seconds: float) -> str:
    """Return seconds as an ISO 8601 duration, to a ten-millionth.

    >>> format_iso(90061.5), format_iso(0)
    ('P1DT1H1M1.5S', 'PT0S')
    """
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
