"""Alert rules in Azure Monitor's words, whatever file they came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from peeklock.alerts.kql import Query
from peeklock.alerts.point import Point


class Aggregation(StrEnum):
    """What becomes of the values in one window."""

    AVERAGE = "Average"
    TOTAL = "Total"
    MAXIMUM = "Maximum"
    MINIMUM = "Minimum"
    COUNT = "Count"

    def of(self, points: Sequence[Point]) -> float | None:
        """Return the value of a window. Without points, `Total` and `Count` are 0, and the others are unknown: None."""
        total, count = sum(point.value for point in points), sum(point.count for point in points)
        match self:
            case Aggregation.TOTAL:
                return total
            case Aggregation.COUNT:
                return count
            case _ if not count:
                return None
            case Aggregation.MAXIMUM:
                return max(point.highest for point in points)
            case Aggregation.MINIMUM:
                return min(point.lowest for point in points)
            case Aggregation.AVERAGE:
                return total / count


class Operator(StrEnum):
    """How a window's value is compared with the threshold."""

    GREATER_THAN = "GreaterThan"
    GREATER_THAN_OR_EQUAL = "GreaterThanOrEqual"
    LESS_THAN = "LessThan"
    LESS_THAN_OR_EQUAL = "LessThanOrEqual"
    EQUAL = "Equal"

    def holds(self, value: float, threshold: float) -> bool:
        match self:
            case Operator.GREATER_THAN:
                return value > threshold
            case Operator.GREATER_THAN_OR_EQUAL:
                return value >= threshold
            case Operator.LESS_THAN:
                return value < threshold
            case Operator.LESS_THAN_OR_EQUAL:
                return value <= threshold
            case Operator.EQUAL:
                return value == threshold

    @property
    def words(self) -> str:
        """`greater than`, as a sentence has it."""
        return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in self.value).strip()


EACH = "*"
"""The dimension value that stands for every one, each by itself."""


@dataclass(frozen=True)
class Dimension:
    """Which time series a condition looks at: those with one of `values` (or, excluding, with none of them)."""

    name: str
    values: tuple[str, ...] = (EACH,)
    exclude: bool = False

    def takes(self, value: str) -> bool:
        return EACH in self.values or (value in self.values) is not self.exclude


@dataclass(frozen=True)
class MetricCondition:
    """A metric's values, aggregated over a window, against a threshold."""

    metric: str
    aggregation: Aggregation
    operator: Operator
    threshold: float
    dimensions: tuple[Dimension, ...] = ()


@dataclass(frozen=True)
class FailingPeriods:
    """An alert fires when `at_least` of the last `of` windows met the condition."""

    at_least: int = 1
    of: int = 1


@dataclass(frozen=True)
class LogCondition:
    """What a query answers over a window, against a threshold: how many rows, or the aggregate of one `column` of them."""

    query: Query
    operator: Operator
    threshold: float
    aggregation: Aggregation = Aggregation.COUNT
    column: str | None = None
    dimensions: tuple[Dimension, ...] = ()
    failing: FailingPeriods = FailingPeriods()


Condition = MetricCondition | LogCondition


@dataclass(frozen=True)
class Rule:
    """An alert rule: it fires once all of its conditions hold, and is looked at each `frequency`.

    `window` and `frequency` are seconds. A rule that does not `resolve` stays fired. `source` is where the rule was read.
    """

    name: str
    conditions: tuple[Condition, ...]
    window: float
    frequency: float
    resolve: bool = True
    severity: int = 3
    enabled: bool = True
    source: str = field(default="", compare=False)

    @property
    def signals(self) -> frozenset[str]:
        """The metrics and tables that it looks at."""
        return frozenset(
            condition.metric if isinstance(condition, MetricCondition) else condition.query.table
            for condition in self.conditions
        )

    @property
    def good_evaluations(self) -> int:
        """How many evaluations in a row must not meet the conditions before a fired alert is resolved.

        Three for metrics. For logs by the frequency: ten minutes' worth at a minute, three up to 15 minutes, two up to 11 hours,
        else one (documentation of Azure Monitor, "Types of alerts", stateful log alerts).
        """
        if all(isinstance(condition, MetricCondition) for condition in self.conditions):
            return 3
        for limit, count in ((60.0, 10), (900.0, 3), (11 * 3600.0, 2)):
            if self.frequency <= limit:
                return count
        return 1
