"""What a metric was worth during a case, for one service and one set of attributes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from peeklock.telemetry.histogram import extremes
from peeklock.telemetry.records import Point


@dataclass(frozen=True, slots=True)
class Change:
    """What a counter or histogram has grown by until a moment (Unix seconds)."""

    at: float
    value: float
    count: int
    """How many values a histogram recorded."""
    low: float
    """The lowest of these, as far as it is told."""
    high: float


@dataclass(frozen=True, slots=True)
class Series:
    """The points of a case, and where the service stood before it."""

    service: str
    name: str
    attributes: Mapping[str, Any]
    points: tuple[Point, ...]
    """In the order in which they came; at least one."""
    before: Point | None = field(default=None)
    """The last one before the case, of a value that counts on across cases."""

    @property
    def value(self) -> float:
        """The last value: of a histogram the sum of what was recorded."""
        return self.points[-1].value

    def changes(self) -> Iterator[Change]:
        """Yield what each point adds to the one before it."""
        last = self.before
        for point in self.points:
            base = last if last is not None and point.since is not None and last.since == point.since else None
            low, high = extremes(point, base)
            value = point.value - (0.0 if base is None else base.value)
            count = (point.count or 0) - (0 if base is None else base.count or 0)
            yield Change(point.at, value, count, low, high)
            last = point

    def increase(self) -> tuple[float, int]:
        """Return by how much value and count of a histogram grew in this case."""
        changes = list(self.changes())
        return sum(change.value for change in changes), sum(change.count for change in changes)

    def view(self) -> dict[str, Any]:
        """Return what `metrics` shows of it; keys without a value are absent."""
        last = self.points[-1]
        grown, count = self.increase()
        shown = {
            "of": self.service,
            "name": self.name,
            "attributes": dict(self.attributes),
            "unit": last.unit or None,
            "value": plain(last.value),
            "increase": plain(grown) if last.grows else None,
            "count": count if last.count is not None else None,
        }
        return {key: value for key, value in shown.items() if value is not None}


def plain(value: float) -> float:
    """Return a whole number as an integer."""
    return int(value) if float(value).is_integer() else value


def identity(point: Point) -> tuple[Any, ...]:
    """Return what tells a series from the others."""
    return point.service, point.name, _key(point.attributes.items())


def _key(pairs: Iterable[tuple[str, Any]]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, repr(value)) for name, value in pairs))
