"""The identifiers of IntelliOptics, read in one place so that API and worker cannot come to read them differently."""

from __future__ import annotations

import re
import uuid
from datetime import datetime, timedelta

_UUID = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", re.IGNORECASE)

# How long after the cut-over to ``det_*`` a bare UUID is still understood.
GRACE_PERIOD = timedelta(days=14)


def new_image_query_id(idempotency_key: str | None = None) -> str:
    """Return a fresh ``iq_…`` id; with a key, always the same one for that key."""
    if idempotency_key:
        return f"iq_{uuid.uuid5(uuid.NAMESPACE_URL, f'intellioptics:image-query:{idempotency_key}').hex}"
    return f"iq_{uuid.uuid4().hex}"


def new_detector_id(idempotency_key: str | None = None) -> str:
    """Return a fresh ``det_…`` id; with a key, always the same one for that key."""
    if idempotency_key:
        return f"det_{uuid.uuid5(uuid.NAMESPACE_URL, f'intellioptics:detector:{idempotency_key}').hex}"
    return f"det_{uuid.uuid4().hex}"


def is_legacy_detector_id(detector_id: str) -> bool:
    """Return whether ``detector_id`` is a bare UUID, as before the cut-over."""
    return _UUID.match(detector_id) is not None


def accepts_legacy_ids(now: datetime, cutover: datetime) -> bool:
    """Return whether bare UUIDs are still understood at ``now``; both times are aware."""
    return now < cutover + GRACE_PERIOD
