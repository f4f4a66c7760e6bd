"""What `summarize` makes of a group of rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from peeklock.alerts.kql.values import Value, text


@dataclass(frozen=True)
class Aggregate:
    """An aggregate function: how many arguments it takes, and what it makes of their values in each row of a group."""

    arguments: range
    of: Callable[[Sequence[Sequence[Value]]], Value]


def _firsts(rows: Sequence[Sequence[Value]]) -> list[Value]:
    return [row[0] for row in rows if row[0] is not None]


def _sum(rows: Sequence[Sequence[Value]]) -> Value:
    return sum(_firsts(rows), start=0)


def _average(rows: Sequence[Sequence[Value]]) -> Value:
    values = _firsts(rows)
    return sum(values) / len(values) if values else None


def _percentile(rows: Sequence[Sequence[Value]]) -> Value:
    """The nearest rank: a value that was there, not one between two."""
    values = sorted(_firsts(rows))
    if not values:
        return None
    return values[min(len(values), max(1, math.ceil(len(values) * rows[0][1] / 100))) - 1]


AGGREGATES = {
    "count": Aggregate(range(1), len),
    "countif": Aggregate(range(1, 2), lambda rows: sum(row[0] is True for row in rows)),
    "sum": Aggregate(range(1, 2), _sum),
    "sumif": Aggregate(range(2, 3), lambda rows: _sum([row for row in rows if row[1] is True])),
    "avg": Aggregate(range(1, 2), _average),
    "min": Aggregate(range(1, 2), lambda rows: min(_firsts(rows), default=None)),
    "max": Aggregate(range(1, 2), lambda rows: max(_firsts(rows), default=None)),
    "dcount": Aggregate(range(1, 2), lambda rows: len({text(value) for value in _firsts(rows)})),
    "percentile": Aggregate(range(2, 3), _percentile),
}
