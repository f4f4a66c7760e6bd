"""Queues, topics and dead letters: counts, messages, sending, sending again, purging."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from peeklock import __version__
from peeklock.durations import parse_duration
from peeklock.servicebus import RecordingInvalid
from peeklock.ui.by_hand import ByHand, literal
from peeklock.ui.chosen import Chosen
from peeklock.ui.view import Document, Query, Refused, said, whole

_MOST_AT_ONCE = 100
_MOST_TIMES = 1_000
_ARGUMENTS = (
    "json", "text", "message_id", "correlation_id", "session_id", "subject", "content_type", "reply_to", "to", "time_to_live",
    "properties",
)  # fmt: skip
"""Of the verb `send`; the page's form has no others."""


class Bus:
    """Implements `View`."""

    def __init__(self, chosen: Chosen, by_hand: ByHand) -> None:
        self._chosen, self._by_hand = chosen, by_hand

    @property
    def looks(self) -> Mapping[str, Callable[[Query], Any]]:
        return {"entities": self._entities, "messages": self._messages, "history": self._history}

    @property
    def acts(self) -> Mapping[str, Callable[[Document], Any]]:
        return {"send": self._send, "resubmit": self._resubmit, "purge": self._purge}

    def _entities(self, _query: Query) -> dict[str, Any]:
        namespace = self._chosen.namespace()
        return {**namespace.entities(), "address": namespace.address, "version": __version__}

    def _messages(self, query: Query) -> list[dict[str, Any]]:
        first, most = whole(query, "from", 0), min(whole(query, "most", 50), _MOST_AT_ONCE)
        return self._chosen.namespace().peek(said(query, "entity"), first, most)

    def _history(self, query: Query) -> list[dict[str, Any]]:
        return self._chosen.namespace().history(said(query, "message_id"))

    def _send(self, document: Document) -> dict[str, Any]:
        entity, facts, later = said(document, "entity"), document.get("message"), document.get("scheduled_in")
        times = document.get("times", 1)
        if not isinstance(facts, dict):
            raise Refused(400, "message: expected a JSON object")
        if type(times) is not int or not 1 <= times <= _MOST_TIMES:
            raise Refused(400, f"times: expected a number from 1 to {_MOST_TIMES}")
        namespace = self._chosen.namespace()
        try:
            namespace.send(entity, facts, _seconds(later), times)
        except RecordingInvalid as error:
            raise Refused(
                400, f"{error.problem}; expected {error.expected}" if error.expected else error.problem
            ) from None
        topics = {topic["name"].lower() for topic in namespace.entities()["topics"]}
        step: dict[str, Any] = {"topic" if entity.lower() in topics else "queue": entity}
        step |= {name: literal(facts[name]) for name in _ARGUMENTS if name in facts}
        step |= {"scheduled_in": later} if later else {}
        step |= {"times": times} if times > 1 else {}
        self._by_hand.add(f"sent {times} to {entity}", {"send": step})
        return {"sent": times}

    def _resubmit(self, document: Document) -> dict[str, Any]:
        entity, sequences = said(document, "entity"), document.get("sequences")
        if sequences is not None and not (isinstance(sequences, list) and all(type(each) is int for each in sequences)):
            raise Refused(400, "sequences: expected a list of sequence numbers")
        done = self._chosen.namespace().resubmit(entity, sequences)
        self._by_hand.add(f"resubmitted {done['sent']} dead letters of {entity} to {done['to']}")
        return done

    def _purge(self, document: Document) -> dict[str, Any]:
        path = said(document, "entity")
        count = self._chosen.namespace().purge(path)
        self._by_hand.add(f"purged {count} messages of {path}")
        return {"purged": count}


def _seconds(later: Any) -> float | None:
    if not later:
        return None
    try:
        seconds = parse_duration(later)
    except ValueError as error:
        raise Refused(400, f"scheduled in: {error}", "write 30s, 10m or 1d") from None
    if not (math.isfinite(seconds) and seconds >= 0):
        raise Refused(400, "scheduled in: expected a duration such as 30s, 10m or 1d")
    return seconds
