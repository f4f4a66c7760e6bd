"""The tail that Service Bus puts behind its error texts."""

from __future__ import annotations

import random
from datetime import UTC, datetime


def tracked(text: str, namespace: str, entity: str) -> str:
    """Append TrackingId, SystemTracker and Timestamp, as clients and people know them from the service."""
    number = f"{random.getrandbits(128):032x}"
    tracking = "-".join((number[:8], number[8:12], number[12:16], number[16:20], number[20:]))
    stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text} TrackingId:{tracking}_G0, SystemTracker:{namespace}:{entity}, Timestamp:{stamp}"
