"""What the cases of a run have shown of the contracts of stand-ins, together: operations, and the statuses of their answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypeVar

from peeklock.engine.operations import HUNG_UP, OUTSIDE, ContractUse

MOST_CASES = 5
"""That are named for one thing."""
MOST_CONTRACTS = 200
MOST_OPERATIONS = 1_000
"""Of one contract."""
MOST_STATUSES = 100
"""Of one operation."""

T = TypeVar("T")
Known = dict[str, dict[str, list[str]]]
"""By contract and operation, the statuses that it may answer."""


def known_in(uses: Mapping[str, ContractUse]) -> Known:
    """Return what the contracts of a case know, as a record keeps it."""
    return {
        file: {
            operation: list(islice(statuses, MOST_STATUSES))
            for operation, statuses in islice(use.known.items(), MOST_OPERATIONS)
        }
        for file, use in islice(uses.items(), MOST_CONTRACTS)
    }


def met_in(uses: Mapping[str, ContractUse]) -> dict[str, dict[str, dict[str, int]]]:
    """Return what a case has met of each contract, as a record keeps it."""
    return {
        file: {operation: dict(counts) for operation, counts in islice(use.met.items(), MOST_OPERATIONS)}
        for file, use in islice(uses.items(), MOST_CONTRACTS)
        if use.met
    }


def read_known(data: Any) -> Known:
    """Return what `known_in` has returned; what another hand has written in another shape is passed over."""
    found: Known = {}
    for file, operations in _entries(data, MOST_CONTRACTS):
        own = found.setdefault(file, {})
        for operation, statuses in _entries(operations, MOST_OPERATIONS):
            if isinstance(statuses, list):
                own[operation] = [each for each in statuses[:MOST_STATUSES] if isinstance(each, str)]
    return found


@dataclass
class _Answers:
    """How often an operation answered one status, and the first cases in which it did."""

    count: int = 0
    cases: list[int] = field(default_factory=list)

    def add(self, case: int, count: int) -> None:
        self.count += count
        if len(self.cases) < MOST_CASES:
            self.cases.append(case)


@dataclass
class OperationCoverage:
    """Adds up which operations were asked and what they answered."""

    _found: dict[str, dict[str, dict[str, _Answers]]] = field(default_factory=dict)
    """By contract, operation, and status as the contract writes it."""

    def declare(self, known: Known) -> None:
        """Take in what contracts know."""
        for file, operations in known.items():
            for operation, statuses in operations.items():
                answers = self._of(file, operation)
                for status in statuses if answers is not None else ():
                    _room(answers, status, MOST_STATUSES, _Answers)

    def add(self, case: int, met: Any) -> None:
        """`met`: what `met_in` has returned for the case of that number."""
        for file, operations in _entries(met, MOST_CONTRACTS):
            for operation, counts in _entries(operations, MOST_OPERATIONS):
                answers = self._of(file, operation)
                for status, count in _entries(counts, MOST_STATUSES) if answers is not None else ():
                    if isinstance(count, int) and count > 0:
                        told = _room(answers, _as_written(status, answers or {}), MOST_STATUSES, _Answers)
                        if told is not None:
                            told.add(case, count)

    def data(self) -> list[list[Any]]:
        """Return it: of each contract its file, and of each operation its name with `[status, count, cases]` for each status."""
        return [
            [
                file,
                [
                    [operation, [[status, told.count, told.cases] for status, told in answers.items()]]
                    for operation, answers in operations.items()
                ],
            ]
            for file, operations in sorted(self._found.items())
        ]

    def _of(self, file: str, operation: str) -> dict[str, _Answers] | None:
        operations = _room(self._found, file, MOST_CONTRACTS, dict[str, dict[str, _Answers]])
        return None if operations is None else _room(operations, operation, MOST_OPERATIONS, dict[str, _Answers])


def _room(known: dict[str, T] | None, key: str, most: int, new: Callable[[], T]) -> T | None:
    """Return what stands at a key, made anew while there is room for it."""
    if known is None or (key not in known and len(known) >= most):
        return None
    return known.setdefault(key, new())


def _as_written(status: str, known: Mapping[str, Any]) -> str:
    """Return how the contract writes a status: as it is, as `4XX`, or as `default`."""
    ways = (status,) if status in (OUTSIDE, HUNG_UP) else (status, f"{status[:1]}XX", f"{status[:1]}xx", "default")
    return next((each for each in ways if each in known), status)


def _entries(value: Any, most: int) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        yield from ((str(key), each) for key, each in islice(value.items(), most))
