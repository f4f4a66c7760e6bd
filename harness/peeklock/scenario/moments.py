"""Moments as a scenario file writes them: `2027-01-01T00:00:00Z`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BeforeValidator

from peeklock.scenario.values import is_template


def _moment(value: Any) -> Any:
    if not isinstance(value, str) or is_template(value):
        return value
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError(f"not a moment: {value!r} (write for example 2027-01-01T00:00:00Z)") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


Moment = Annotated[datetime, BeforeValidator(_moment, json_schema_input_type=str)]
"""ISO 8601; without an offset it is UTC."""
