"""Faults inside the emulator: of the whole namespace, or of a queue."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from peeklock.servicebus.gateway.faults import KINDS
from peeklock.ui.by_hand import ByHand
from peeklock.ui.chosen import Chosen
from peeklock.ui.view import Document, Query, Refused, said

_MOST_TIMES = 1_000
_KINDS = [
    {"kind": kind, "summary": each.summary, "at_once": each.at_once, "counted": each.counted}
    for kind, each in KINDS.items()
]


class BusFaults:
    """Implements `View`."""

    def __init__(self, chosen: Chosen, by_hand: ByHand) -> None:
        self._chosen, self._by_hand = chosen, by_hand

    @property
    def looks(self) -> Mapping[str, Callable[[Query], Any]]:
        return {"faults": lambda _: {"kinds": _KINDS, "faults": self._chosen.namespace().faults()}}

    @property
    def acts(self) -> Mapping[str, Callable[[Document], Any]]:
        return {"fault/begin": self._begin, "fault/end": self._end}

    def _begin(self, document: Document) -> dict[str, Any]:
        kind, entity, times = said(document, "fault"), document.get("entity", ""), document.get("times")
        if kind not in KINDS:
            raise Refused(400, f"fault: {kind!r} is none", f"use one of {', '.join(KINDS)}")
        if not isinstance(entity, str):
            raise Refused(400, "entity: expected a text")
        if times is not None and (type(times) is not int or not 1 <= times <= _MOST_TIMES):
            raise Refused(400, f"times: expected a number from 1 to {_MOST_TIMES}, or nothing")
        struck = self._chosen.namespace().begin_fault(kind, entity, times)
        text = f"began the fault {kind} of {entity or 'the whole namespace'}"
        if KINDS[kind].counted and times is None:  # a step's fault of the emulator is always over after its `times`
            self._by_hand.add(f"{text}, until it is cleared")
        else:
            step = {"on": "servicebus", kind: {"queue": entity} if entity else True}
            self._by_hand.add(text, {"fault": step | ({"times": times} if KINDS[kind].counted else {})})
        return {"struck": struck}

    def _end(self, document: Document) -> dict[str, Any]:
        fault = said(document, "id")
        self._chosen.namespace().end_fault(fault)
        self._by_hand.add(f"cleared {fault}")
        return {"cleared": fault}
