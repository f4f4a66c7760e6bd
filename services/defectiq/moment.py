"""Moments as DefectIQ writes them down: UTC, to the millisecond, in one spelling."""

from __future__ import annotations

from datetime import UTC, datetime


def moment(at: datetime) -> str:
    """Return ``at`` as in ``2026-01-31T12:00:00.000Z``; one without a zone is UTC already."""
    aware = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
