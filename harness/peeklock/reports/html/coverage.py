"""What the cases of a run have shown of their queues, schemas and contracts, together."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from peeklock.engine.record import Record
from peeklock.reports.html.contracts import Contracts
from peeklock.reports.html.operations import MOST_CASES, OperationCoverage, met_in
from peeklock.servicebus.ledger import EventKind

OUTCOMES = (
    EventKind.COMPLETED, EventKind.ABANDONED, EventKind.LOCK_EXPIRED, EventKind.DEAD_LETTERED, EventKind.EXPIRED,
    EventKind.DEFERRED, EventKind.SCHEDULED, EventKind.DUPLICATE_DROPPED,
)  # fmt: skip
"""What a system has to be ready for to happen to its messages."""
MOST_QUEUES = 500
MOST_KEYWORDS = 1_000

_Place = tuple[str, str, str]
"""Of a keyword in its schema: the place of the value, its name, what is wanted."""


def seen_in(record: Record, contracts: Contracts) -> dict[str, Any]:
    """Return what one case has shown: of each queue how often what happened to its messages, and which keywords they met."""
    names = {name.lower(): name for name in record.queues}
    counts: dict[str, Counter[str]] = {name: Counter() for name in record.queues}
    for entry in record.entries:
        event = EventKind.COMPLETED if entry.event is EventKind.RECEIVED_AND_DELETED else entry.event
        if event in OUTCOMES and (name := names.get(entry.entity.lower())) is not None:
            counts[name][event.value] += 1
    return {
        "queues": {name: dict(count) for name, count in counts.items()},
        "contracts": contracts.met(),
        "operations": met_in(record.contracts),
    }


@dataclass
class Coverage:
    """Adds up what cases have shown. What another hand has written in another shape is passed over."""

    _queues: dict[str, dict[str, list[Any]]] = field(default_factory=dict)
    _contracts: dict[str, tuple[str, dict[_Place, list[Any]]]] = field(default_factory=dict)
    operations: OperationCoverage = field(default_factory=OperationCoverage)

    def add(self, case: int, seen: Any) -> None:
        """`seen`: what `seen_in` has returned for the case of that number."""
        self.operations.add(case, seen.get("operations") if isinstance(seen, dict) else None)
        for queue, counts in _items(seen, "queues"):
            if queue in self._queues or len(self._queues) < MOST_QUEUES:
                known = self._queues.setdefault(queue, {})
                for outcome, count in counts.items() if isinstance(counts, dict) else ():
                    if outcome in OUTCOMES and isinstance(count, int):
                        counted = known.setdefault(outcome, [0, []])
                        counted[0] += count
                        _name(counted[1], case, count)
        for queue, told in _items(seen, "contracts"):
            match told:
                case [str() as name, list() as keywords] if (
                    queue in self._contracts or len(self._contracts) < MOST_QUEUES
                ):
                    _, keywords_known = self._contracts.setdefault(queue, (name, {}))
                    for keyword in keywords[:MOST_KEYWORDS]:
                        _keyword(keywords_known, case, keyword)

    def data(self) -> dict[str, Any]:
        """Return it for the page, each queue and each keyword with the numbers of the first cases that have shown it."""
        return {
            "outcomes": list(OUTCOMES),
            "queues": sorted([queue, counts] for queue, counts in self._queues.items()),
            "contracts": [
                [queue, name, [[*keyword, *counts] for keyword, counts in known.items()]]
                for queue, (name, known) in sorted(self._contracts.items())
            ],
            "operations": self.operations.data(),
        }


def _items(seen: Any, key: str) -> list[tuple[str, Any]]:
    found = seen.get(key) if isinstance(seen, dict) else None
    return list(found.items()) if isinstance(found, dict) else []


def _keyword(known: dict[_Place, list[Any]], case: int, told: Any) -> None:
    match told:
        case [str() as place, str() as name, str() as wanted, int() as met, int() as broken]:
            counts = known.setdefault((place, name, wanted), [0, 0, []])
            counts[0] += met
            counts[1] += broken
            _name(counts[2], case, broken)


def _name(cases: list[int], case: int, count: int) -> None:
    if count and len(cases) < MOST_CASES:
        cases.append(case)
