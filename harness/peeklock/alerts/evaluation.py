"""What alert rules do with what was measured, by the clock of whoever asks: no time passes here.

A rule is looked at each `frequency`; each look takes the values of the window before it (`from` included, `to` not). Each
combination of dimension values is an alert of its own, as in Azure Monitor.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import product

from peeklock.alerts.kql import Row, Tables
from peeklock.alerts.point import Point
from peeklock.alerts.rule import EACH, Condition, Dimension, LogCondition, MetricCondition, Operator, Rule
from peeklock.durations import format_duration


@dataclass(frozen=True)
class Measured:
    """All that rules can look at: points of metrics by the metric's name, rows of logs by their table.

    Both are in the order of their times. `time_column` holds each row's moment.
    """

    metrics: Mapping[str, Sequence[Point]] = field(default_factory=dict)
    tables: Tables = field(default_factory=dict)
    time_column: str = "TimeGenerated"


@dataclass(frozen=True)
class Look:
    """One evaluation of one series: the conditions' values then, and whether they were all met."""

    at: float
    values: tuple[float | None, ...]
    met: bool
    why: str


@dataclass(frozen=True)
class Alert:
    """An alert that fired: for which dimension values, when, since when it is resolved (None: not yet), and why it fired."""

    rule: str
    dimensions: Mapping[str, str]
    fired_at: float
    why: str
    resolved_at: float | None = None

    @property
    def state(self) -> str:
        return "Fired" if self.resolved_at is None else "Resolved"


Series = tuple[tuple[str, str], ...]
"""Dimensions and their values, sorted by the dimensions' names."""
Looks = Mapping[Series, Sequence[Look]]


def looks(rule: Rule, measured: Measured, start: float, end: float) -> Looks:
    """Return each series' evaluations of a rule that is made at `start`, up to `end` (both epoch seconds)."""
    found: dict[Series, list[Look]] = {}
    at = start + rule.frequency
    while rule.enabled and at <= end:
        for series in _series(rule, measured, at):
            found.setdefault(series, [])
        for series, past in found.items():
            past.append(_look(rule, measured, dict(series), at))
        at += rule.frequency
    return found


def alerts_of(rule: Rule, past: Looks) -> list[Alert]:
    """Return the alerts that came of a rule's evaluations, in the order in which they fired."""
    alerts = [alert for series, each in past.items() for alert in _alerts(rule, dict(series), each)]
    return sorted(alerts, key=lambda alert: alert.fired_at)


def nearest(rule: Rule, past: Looks) -> str:
    """Return the evaluation that came nearest to firing, in words."""
    seen = [look for series in past.values() for look in series if look.values[0] is not None]
    if not rule.enabled:
        return f"{rule.name} is not enabled"
    if not seen:
        return f"{rule.name} saw no data; it is evaluated each {format_duration(rule.frequency)}"
    below = rule.conditions[0].operator in (Operator.LESS_THAN, Operator.LESS_THAN_OR_EQUAL)
    look = (min if below else max)(seen, key=lambda look: look.values[0] or 0.0)
    moment = datetime.fromtimestamp(look.at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return f"at {moment} {look.why}"


def evaluate(rule: Rule, measured: Measured, start: float, end: float) -> list[Alert]:
    """Return the alerts of a rule that is made at `start`, up to `end`, in the order in which they fired."""
    return alerts_of(rule, looks(rule, measured, start, end))


def _alerts(rule: Rule, dimensions: Mapping[str, str], past: Sequence[Look]) -> Iterator[Alert]:
    fired: Look | None = None
    good = 0
    for look in past:
        good = 0 if look.met else good + 1
        if fired is None and look.met:
            fired = look
        elif fired is not None and rule.resolve and good == rule.good_evaluations:
            yield Alert(rule.name, dimensions, fired.at, fired.why, look.at)
            fired = None
    if fired is not None:
        yield Alert(rule.name, dimensions, fired.at, fired.why)


def _look(rule: Rule, measured: Measured, series: Mapping[str, str], at: float) -> Look:
    outcomes = [_outcome(condition, rule.window, measured, series, at) for condition in rule.conditions]
    whys = [why for _, _, why in outcomes]
    return Look(at, tuple(value for value, _, _ in outcomes), all(met for _, met, _ in outcomes), "; ".join(whys))


def _outcome(
    condition: Condition, window: float, measured: Measured, series: Mapping[str, str], at: float
) -> tuple[float | None, bool, str]:
    """Return the newest window's value, whether the condition is met, and the sentence that says so."""
    if isinstance(condition, MetricCondition):
        value = condition.aggregation.of(_metric_points(condition, measured, series, at - window, at))
        name = f"{condition.aggregation} of {condition.metric}"
        met, least, of = _holds(condition, value), 1, 1
    else:
        least, of = condition.failing.at_least, condition.failing.of
        values = [
            _log_value(condition, measured, series, at - back * window - window, at - back * window)
            for back in range(of)
        ]
        value = values[0]
        met = sum(_holds(condition, each) for each in values) >= least
        name = f"{condition.aggregation} of {condition.column}" if condition.column else "the number of rows"
    seen = "unknown, without data" if value is None else f"{value:g}"
    sentence = (
        f"{name} over {format_duration(window)} was {seen} ({condition.operator.words} {condition.threshold:g} fires)"
    )
    return value, met, sentence if of == 1 else f"{sentence}, met in at least {least} of {of} windows"


def _holds(condition: Condition, value: float | None) -> bool:
    return value is not None and condition.operator.holds(value, condition.threshold)


def _series(rule: Rule, measured: Measured, at: float) -> Iterator[Series]:
    """Yield the combinations of dimension values that a rule sees in the windows before a moment."""
    if not any(condition.dimensions for condition in rule.conditions):
        yield ()
        return
    found: dict[Series, None] = {}
    for condition in rule.conditions:
        for dimensions in _seen(condition, rule.window, measured, at):
            found[tuple(sorted(dimensions.items()))] = None
    yield from found


def _seen(condition: Condition, window: float, measured: Measured, at: float) -> Iterator[dict[str, str]]:
    fixed = [dimension for dimension in condition.dimensions if not dimension.exclude and EACH not in dimension.values]
    if len(fixed) == len(condition.dimensions):
        for combination in product(*(dimension.values for dimension in fixed)):
            yield {dimension.name: value for dimension, value in zip(fixed, combination, strict=True)}
        return
    if isinstance(condition, MetricCondition):
        sources: Iterable[Mapping[str, object]] = (
            point.dimensions for point in _between(measured.metrics.get(condition.metric, ()), at - window, at)
        )
    else:
        sources = _rows(condition, measured, at - condition.failing.of * window, at)
    for source in sources:
        values = {dimension.name: str(source.get(dimension.name, "")) for dimension in condition.dimensions}
        if all(dimension.takes(values[dimension.name]) for dimension in condition.dimensions):
            yield values


def _metric_points(
    condition: MetricCondition, measured: Measured, series: Mapping[str, str], start: float, end: float
) -> list[Point]:
    points = _between(measured.metrics.get(condition.metric, ()), start, end)
    return [point for point in points if _belongs(condition.dimensions, point.dimensions, series)]


def _log_value(
    condition: LogCondition, measured: Measured, series: Mapping[str, str], start: float, end: float
) -> float | None:
    rows = [row for row in _rows(condition, measured, start, end) if _belongs(condition.dimensions, row, series)]
    if condition.column is None:
        return len(rows)
    values = [row.get(condition.column) for row in rows]
    return condition.aggregation.of([Point(end, float(value)) for value in values if isinstance(value, int | float)])


def _belongs(dimensions: Iterable[Dimension], own: Mapping[str, object], series: Mapping[str, str]) -> bool:
    return all(str(own.get(dimension.name, "")) == series.get(dimension.name) for dimension in dimensions)


def _between(points: Sequence[Point], start: float, end: float) -> Sequence[Point]:
    return points[bisect_left(points, start, key=_at) : bisect_left(points, end, key=_at)]


def _at(point: Point) -> float:
    return point.at


def _rows(condition: LogCondition, measured: Measured, start: float, end: float) -> list[Row]:
    table = measured.tables.get(condition.query.table, ())

    def moment(row: Row) -> float:
        return float(row[measured.time_column].timestamp())

    part = table[bisect_left(table, start, key=moment) : bisect_left(table, end, key=moment)]
    return condition.query.run({condition.query.table: part}, now=end)
