"""A log that strangers cannot fill: what anybody can cause as often as they like is told once in a while, and counted."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import Any

from .ports import Log

SECONDS = 10.0
MOST = 50
"""How many of such lines there are in ten seconds, whatever they say."""
LIMITED = frozenset(
    [
        "connection.aborted",
        "connection.closed",
        "connection.refused",
        "http.timeout",
        "link.detached",
        "link.refused",
        "request.refused",
        "tls.failed",
        "token.refused",
    ]
)


class LimitedLog:
    """Passes on the first of equal refusals, and the next one ten seconds later with how many were left out (`suppressed`)."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._told: OrderedDict[tuple[str, str], tuple[float, int]] = OrderedDict()
        self._window = 0.0
        self._lines = self._dropped = 0

    def __call__(self, event: str, **fields: Any) -> None:
        """Log one line, or count it."""
        if event not in LIMITED:
            self._log(event, **fields)
            return
        now = time.monotonic()
        reason = fields.get("reason") or fields.get("condition") or ""
        key = (event, str(reason))
        told, suppressed = self._told.pop(key, (-SECONDS, 0))
        if now - told < SECONDS or not self._has_room(now):
            self._told[key] = (told, suppressed + 1)
        else:
            self._told[key] = (now, 0)
            self._log(event, **fields, **({"suppressed": suppressed} if suppressed else {}))
        if len(self._told) > MOST * 4:
            self._told.popitem(last=False)

    def _has_room(self, now: float) -> bool:
        if now - self._window >= SECONDS:
            if self._dropped:
                self._log("log.suppressed", lines=self._dropped)
            self._window, self._lines, self._dropped = now, 0, 0
        self._lines += 1
        self._dropped += self._lines > MOST
        return self._lines <= MOST
