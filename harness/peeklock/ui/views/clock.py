"""The clock of the environment: shown, and moved where its stack has one of its own."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from peeklock.durations import format_duration, parse_duration
from peeklock.errors import PeeklockError
from peeklock.stack.warm.clock import kept_clock
from peeklock.ui.by_hand import ByHand
from peeklock.ui.chosen import Chosen
from peeklock.ui.view import Document, Query, Refused, said

_FURTHEST = 10 * 366 * 86_400.0
_NONE = "The clock of this environment is the machine's: it shares its stack with others, and all that stands on a stack goes by one clock."
_HOW = "Say `clock: movable` in a case, run it with `peeklock run FILE --keep`, and choose its environment."


class EnvironmentClock:
    """Implements `View`."""

    def __init__(self, chosen: Chosen, by_hand: ByHand) -> None:
        self._chosen, self._by_hand = chosen, by_hand

    @property
    def looks(self) -> Mapping[str, Callable[[Query], Any]]:
        return {"clock": lambda _: self._state()}

    @property
    def acts(self) -> Mapping[str, Callable[[Document], Any]]:
        return {"clock": self._jump}

    def _state(self) -> dict[str, Any]:
        standing, root = self._chosen.standing(), self._chosen.root
        assert root is not None
        with kept_clock(root, standing.name if standing.kept else "") as clock:
            movable = clock.movable
            told = {"movable": movable, "now": clock.now().timestamp() * 1000, "ahead": clock.offset}
        return told | ({} if movable else {"why": _NONE, "how": _HOW})

    def _jump(self, document: Document) -> dict[str, Any]:
        text = said(document, "advance")
        try:
            seconds = parse_duration(text)
        except ValueError as error:
            raise Refused(400, f"advance: {error}", "write 30s, 10m, 2h or 15d") from None
        if not (math.isfinite(seconds) and 0 < seconds <= _FURTHEST):
            raise Refused(400, "advance: expected a duration from 1ms to ten years", "write 30s, 10m, 2h or 15d")
        standing, root = self._chosen.standing(), self._chosen.root
        assert root is not None
        with kept_clock(root, standing.name if standing.kept else "") as clock:
            if not clock.movable:
                raise PeeklockError(_NONE, fix=_HOW)
            now = clock.advance(seconds)
        self._by_hand.add(f"moved the clock by {format_duration(seconds)}", {"clock": {"advance": text}})
        return {"now": now.timestamp() * 1000}
