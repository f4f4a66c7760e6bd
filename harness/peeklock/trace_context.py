"""The trace that a message or request belongs to, by the headers of W3C Trace Context."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")
_CARRIERS = ("traceparent", "Diagnostic-Id")


def trace_of(properties: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return trace and span id of a message's application properties or a request's headers; None where there are none."""
    for carrier in _CARRIERS:
        found = _TRACEPARENT.fullmatch(str(properties.get(carrier, "")))
        if found is not None and set(found[1]) != {"0"}:
            return found[1], found[2]
    return None


def trace_view(headers: Mapping[str, Any]) -> dict[str, str]:
    """Return what a journal shows of the trace that a request belongs to: `trace_id`, or nothing."""
    found = trace_of(headers)
    return {} if found is None else {"trace_id": found[0]}
