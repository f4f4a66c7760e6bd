"""What the steps of a case asked over HTTP, within bounds."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import replace

from peeklock.engine.record import Exchange
from peeklock.redaction import MASK

LONGEST = 24 << 10
"""Characters of a body that are kept: more than a report shows, so that it redacts before it cuts."""
_MOST_TEXT = 4 << 20
"""Characters of all bodies of a case; those of later requests are left out."""
_MOST = 5000
_TELLING = re.compile("auth|cookie|credential|key|password|secret|signature|token", re.IGNORECASE)
"""In the name of a header that may hold what must not be written."""


class Exchanges:
    """The requests of one case with their answers. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: list[Exchange] = []
        self._text_left = _MOST_TEXT

    def add(self, exchange: Exchange) -> None:
        """Keep one; the first 5,000 of a case are."""
        with self._lock:
            if len(self._kept) == _MOST:
                return
            self._text_left -= sum(len(text) for text in exchange.view.values() if isinstance(text, str))
            if self._text_left < 0:
                view = {key: value for key, value in exchange.view.items() if not key.endswith("body")}
                exchange = replace(exchange, view={**view, "left_out": "the bodies: the case has many"})
            self._kept.append(exchange)

    def all(self) -> list[Exchange]:
        """Return those kept, in the order in which they ended."""
        with self._lock:
            return list(self._kept)


def shown_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers with the values masked that their names call secret."""
    return {name: MASK if _TELLING.search(name) else value for name, value in headers.items()}
