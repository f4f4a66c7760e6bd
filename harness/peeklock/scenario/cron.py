"""Cron expressions as Container Apps has them: five fields, in UTC."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any

from cronsim import CronSim, CronSimError
from pydantic import BeforeValidator

_NUMBERS = r"[\d*/,-]+"
_MONTHS, _DAYS = "JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC", "SUN|MON|TUE|WED|THU|FRI|SAT"
_FIELDS = (
    ("minute", _NUMBERS),
    ("hour", _NUMBERS),
    ("day of month", _NUMBERS),
    ("month", rf"(?:{_NUMBERS}|{_MONTHS})+"),
    ("day of week", rf"(?:{_NUMBERS}|{_DAYS})+"),
)
_ANCHOR = datetime(2000, 1, 1, tzinfo=UTC)


def _cron(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    fields = value.split()
    wrong = f"five fields are expected, not {len(fields)}" if len(fields) != len(_FIELDS) else ""
    if not wrong:
        bad = [name for text, (name, form) in zip(fields, _FIELDS, strict=True) if not re.fullmatch(form, text.upper())]
        wrong = f"bad {bad[0]}" if bad else ""
    if not wrong:
        try:
            next(CronSim(value, _ANCHOR))
        except CronSimError as error:
            wrong = str(error).lower().replace("-", " ")
        except StopIteration:
            wrong = "there is no such day"
    if wrong:
        raise ValueError(
            f"not a cron expression: {value!r}: {wrong} (minute, hour, day of month, month, day of week, in UTC: "
            "0 2 * * * is every day at 02:00)"
        )
    return " ".join(fields)


Cron = Annotated[str, BeforeValidator(_cron, json_schema_input_type=str)]
"""A schedule; without the extensions of other crons (`@daily`, seconds, L, W, #)."""


def moments(cron: str, after: datetime) -> Iterator[datetime]:
    """Yield the moments of a schedule that are later than `after`, in their order."""
    return CronSim(cron, after.astimezone(UTC))


def due_between(cron: str, after: datetime, until: datetime) -> tuple[datetime | None, int]:
    """Return the last moment of a schedule that is later than `after` and not later than `until`, and how many there are.

    They are counted up to a hundred.
    """
    last, count = None, 0
    for moment in moments(cron, after):
        if moment > until or count == _MOST_COUNTED:
            break
        last, count = moment, count + 1
    if count == _MOST_COUNTED:
        last = next(CronSim(cron, until.astimezone(UTC).replace(microsecond=999_999), reverse=True))
    return last, count


_MOST_COUNTED = 100
