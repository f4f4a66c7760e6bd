"""What a metric was worth at a moment, and the points that a metric has when it is told once a minute."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Point:
    """A value of a metric at a moment (epoch seconds), with its dimensions; or several values, summed up."""

    at: float
    value: float
    dimensions: Mapping[str, str] = field(default_factory=dict)
    count: int = 1
    """How many values `value` is the sum of."""
    minimum: float | None = None
    """The lowest of several values; None: `value` is the only one."""
    maximum: float | None = None

    @property
    def lowest(self) -> float:
        return self.value if self.minimum is None else self.minimum

    @property
    def highest(self) -> float:
        return self.value if self.maximum is None else self.maximum


def sampled(changes: Iterable[tuple[float, float]], end: float, every: float = 60.0) -> Iterator[tuple[float, float]]:
    """Make of a gauge's changes (moment, value) the samples that a platform metric has: one each `every` seconds, until `end`.

    Changes come in the order in which they happened.
    """
    known = list(changes)
    if not known:
        return
    times = [at for at, _ in known]
    at = times[0] - times[0] % every + every
    while at <= end:
        yield at, known[bisect_left(times, at) - 1][1]
        at += every


def summed(changes: Iterable[tuple[float, float]], every: float = 60.0) -> Iterator[tuple[float, float]]:
    """Make of a counter's increases (moment, by how much) one each `every` seconds, at the end of these, where there was any."""
    sums: dict[float, float] = defaultdict(float)
    for at, increase in changes:
        sums[at - at % every + every] += increase
    yield from sorted(sums.items())
