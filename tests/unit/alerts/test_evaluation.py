"""When alerts fire and when they are resolved: tables of values, minute by minute, as Azure Monitor would see them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from peeklock.alerts import (
    Aggregation,
    Alert,
    Dimension,
    FailingPeriods,
    LogCondition,
    Measured,
    MetricCondition,
    Operator,
    Point,
    Rule,
    compile_query,
    evaluate,
    looks,
    sampled,
)

MINUTE = 60.0
LOGS = compile_query("Logs | where level == 'error'")


def metric(
    values: Sequence[float | None], window: float = 1, *, threshold: float = 5, resolve: bool = True, **condition: Any
) -> list[tuple[float, float | None]]:
    """Evaluate a rule each minute over one value a minute; return the minutes in which its alerts fired and were resolved."""
    points = [Point(minute * MINUTE, value) for minute, value in enumerate(values) if value is not None]
    chosen: dict[str, Any] = {"aggregation": Aggregation.AVERAGE, "operator": Operator.GREATER_THAN} | condition
    rule = Rule("r", (MetricCondition("m", threshold=threshold, **chosen),), window * MINUTE, MINUTE, resolve)
    return minutes(evaluate(rule, Measured({"m": points}), 0, len(values) * MINUTE))


def minutes(alerts: Sequence[Alert]) -> list[tuple[float, float | None]]:
    return [(a.fired_at / MINUTE, a.resolved_at and a.resolved_at / MINUTE) for a in alerts]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0, 9, 0, 0, 0, 0], [(2, 5)]),
        ([0, 9, 0, 0, 9, 0, 0, 0], [(2, 8)]),
        ([9, 9, 9], [(1, None)]),
        ([9, 0, 0, 0, 9, 0, 0, 0], [(1, 4), (5, 8)]),
        ([5, 5, 5], []),
        ([], []),
    ],
)
def test_a_metric_alert_fires_at_once_and_is_resolved_after_three_good_looks(
    values: list[float], expected: Any
) -> None:
    assert metric(values) == expected


@pytest.mark.parametrize(
    ("aggregation", "threshold", "fires"),
    [
        (Aggregation.TOTAL, 6.5, [(3, None)]),
        (Aggregation.AVERAGE, 3.5, [(1, None)]),
        (Aggregation.AVERAGE, 4.5, []),
        (Aggregation.MAXIMUM, 3.5, [(1, None)]),
        (Aggregation.MINIMUM, 2.5, [(1, None)]),
        (Aggregation.COUNT, 2.5, [(3, None)]),
    ],
)
def test_aggregations_over_a_window_of_three_minutes(aggregation: Aggregation, threshold: float, fires: Any) -> None:
    assert metric([4, 2, 1], 3, threshold=threshold, aggregation=aggregation) == fires


@pytest.mark.parametrize(
    ("operator", "fires"),
    [
        (Operator.GREATER_THAN, False),
        (Operator.GREATER_THAN_OR_EQUAL, True),
        (Operator.LESS_THAN, False),
        (Operator.LESS_THAN_OR_EQUAL, True),
        (Operator.EQUAL, True),
    ],
)
def test_operators_at_the_threshold(operator: Operator, fires: bool) -> None:
    assert bool(metric([5], operator=operator)) is fires


def test_without_data_an_average_is_unknown_and_a_total_is_nothing() -> None:
    assert metric([None, None], operator=Operator.LESS_THAN, aggregation=Aggregation.AVERAGE) == []
    assert metric([None, None], operator=Operator.LESS_THAN, aggregation=Aggregation.TOTAL) == [(1, None)]


def test_a_rule_that_does_not_resolve_fires_once_and_stays() -> None:
    assert metric([9, 0, 0, 0, 9, 0, 0, 0], resolve=False) == [(1, None)]


def test_each_value_of_a_dimension_is_an_alert_of_its_own() -> None:
    points = [
        Point(0, 9, {"EntityName": "jobs"}),
        Point(0, 1, {"EntityName": "exports"}),
        Point(60, 9, {"EntityName": "exports"}),
    ]

    def fired(*values: str, exclude: bool = False) -> list[tuple[str, float]]:
        dimension = Dimension("EntityName", values, exclude)
        condition = MetricCondition("m", Aggregation.MAXIMUM, Operator.GREATER_THAN, 5, (dimension,))
        alerts = evaluate(Rule("r", (condition,), MINUTE, MINUTE), Measured({"m": points}), 0, 120)
        return [(alert.dimensions["EntityName"], alert.fired_at) for alert in alerts]

    assert fired("*") == [("jobs", 60), ("exports", 120)]
    assert fired("exports") == [("exports", 120)]
    assert fired("jobs", exclude=True) == [("exports", 120)]
    assert fired("other") == []


def test_several_conditions_have_to_hold_at_once() -> None:
    conditions = tuple(MetricCondition(name, Aggregation.TOTAL, Operator.GREATER_THAN, 0) for name in ("a", "b"))
    measured = Measured({"a": [Point(0, 1), Point(60, 1)], "b": [Point(60, 1)]})
    assert minutes(evaluate(Rule("r", conditions, MINUTE, MINUTE), measured, 0, 120)) == [(2, None)]


def logs(
    errors: Sequence[int], frequency: float = 5, *, least: int = 1, of: int = 1
) -> list[tuple[float, float | None]]:
    """Evaluate a rule on so many error lines in each period of `frequency` minutes."""
    step = frequency * MINUTE
    rows = [
        {"TimeGenerated": datetime.fromtimestamp(period * step + number, UTC), "level": "error"}
        for period, count in enumerate(errors)
        for number in range(count)
    ]
    condition = LogCondition(LOGS, Operator.GREATER_THAN, 0, failing=FailingPeriods(least, of))
    rule = Rule("r", (condition,), step, step)
    return [(fired / frequency, resolved and resolved / frequency) for fired, resolved in minutes(
        evaluate(rule, Measured(tables={"Logs": rows}), 0, len(errors) * step)
    )]  # fmt: skip


@pytest.mark.parametrize(
    ("frequency", "good"),
    [(1, 10), (5, 3), (15, 3), (30, 2), (60, 2), (660, 2), (720, 1)],
)
def test_a_log_alert_is_resolved_by_its_frequency(frequency: float, good: int) -> None:
    assert logs([0, 1, *[0] * 12], frequency) == [(2, 2 + good)]


def test_of_several_windows_enough_have_to_fail() -> None:
    assert logs([1, 0, 1, 0, 0, 0], least=2, of=3) == [(3, 6)]
    assert logs([1, 0, 0, 1, 0], least=2, of=3) == []


def test_a_log_alert_measures_a_column_by_dimension() -> None:
    rows = [
        {"TimeGenerated": datetime.fromtimestamp(at, UTC), "worker": worker, "missing": missing}
        for at, worker, missing in ((1, "a", True), (2, "a", False), (3, "b", False))
    ]
    query = compile_query("Logs | summarize Rate = 100.0 * countif(missing) / count() by worker")
    condition = LogCondition(
        query, Operator.GREATER_THAN, 0.1, Aggregation.AVERAGE, "Rate", (Dimension("worker"),)
    )  # fmt: skip
    (alert,) = evaluate(Rule("r", (condition,), 300, 300), Measured(tables={"Logs": rows}), 0, 300)
    assert (dict(alert.dimensions), alert.state) == ({"worker": "a"}, "Fired")
    assert alert.why == "Average of Rate over 5m was 50 (greater than 0.1 fires)"


def test_the_first_look_is_a_frequency_after_the_start_and_sees_its_window_only() -> None:
    points = [Point(at, 1) for at in (-30, 0, 59, 60)]
    rule = Rule("r", (MetricCondition("m", Aggregation.COUNT, Operator.GREATER_THAN, 9),), MINUTE, MINUTE)
    (past,) = looks(rule, Measured({"m": points}), 0, 150).values()
    assert [(look.at, look.values) for look in past] == [(60, (2,)), (120, (1,))]
    assert evaluate(Rule("off", rule.conditions, MINUTE, MINUTE, enabled=False), Measured({"m": points}), 0, 150) == []


def test_a_gauge_is_sampled_each_minute() -> None:
    """The value at each full minute: a message that came and went between two is not seen, as in Azure."""
    assert list(sampled([(30, 1), (40, 0), (70, 3)], 240)) == [(60, 0), (120, 3), (180, 3), (240, 3)]
    assert list(sampled([], 240)) == []
