"""Alert rules read from ARM templates: what they become, and what is refused with its place."""

from __future__ import annotations

from typing import Any

import pytest

from peeklock.alerts import (
    Aggregation,
    AlertRuleError,
    Dimension,
    FailingPeriods,
    LogCondition,
    MetricCondition,
    Operator,
    read_template,
)
from peeklock.alerts.kql import Columns


def metric_alert(**criterion: Any) -> dict[str, Any]:
    dimension = {"name": "EntityName", "operator": "Include", "values": ["jobs"]}
    base = {
        "criterionType": "StaticThresholdCriterion",
        "name": "first",
        "metricName": "DeadletteredMessages",
        "timeAggregation": "Average",
        "operator": "GreaterThan",
        "threshold": 0,
        "dimensions": [dimension],
    }
    odata = "Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria"
    return {
        "type": "Microsoft.Insights/metricAlerts",
        "name": "dlq-spike",
        "properties": {
            "severity": 1,
            "enabled": True,
            "evaluationFrequency": "PT1M",
            "windowSize": "PT5M",
            "criteria": {"odata.type": odata, "allOf": [base | criterion]},
        },
    }


def log_alert(**criterion: Any) -> dict[str, Any]:
    base = {
        "query": "StorageBlobLogs | where StatusCode in (401, 403)",
        "timeAggregation": "Count",
        "operator": "GreaterThanOrEqual",
        "threshold": 3,
        "failingPeriods": {"numberOfEvaluationPeriods": 4, "minFailingPeriodsToAlert": 2},
    }
    properties = {
        "evaluationFrequency": "PT5M",
        "windowSize": "[parameters('window')]",
        "autoMitigate": False,
        "criteria": {"allOf": [base | criterion]},
    }
    return {"type": "microsoft.insights/scheduledqueryrules", "name": "blob-refused", "properties": properties}


def template(*resources: dict[str, Any]) -> dict[str, Any]:
    return {"parameters": {"window": {"type": "string", "defaultValue": "PT10M"}}, "resources": list(resources)}


def test_a_metric_alert() -> None:
    other = {"type": "Microsoft.Insights/actionGroups", "name": "people"}
    (rule,) = read_template(template(other, metric_alert()))
    dimension = Dimension("EntityName", ("jobs",))
    condition = MetricCondition("DeadletteredMessages", Aggregation.AVERAGE, Operator.GREATER_THAN, 0, (dimension,))
    assert (rule.name, rule.window, rule.frequency, rule.severity, rule.source) == (
        "dlq-spike",
        300,
        60,
        1,
        "resources[1]",
    )
    assert rule.conditions == (condition,)
    assert rule.resolve


def test_a_log_alert() -> None:
    (rule,) = read_template(template(log_alert()))
    (condition,) = rule.conditions
    assert isinstance(condition, LogCondition)
    assert (condition.query.table, condition.threshold, condition.column) == ("StorageBlobLogs", 3, None)
    assert condition.failing == FailingPeriods(2, 4)
    assert (rule.window, rule.frequency, rule.resolve) == (600, 300, False)


def test_resources_of_a_template_with_symbolic_names() -> None:
    (rule,) = read_template({"resources": {"spike": metric_alert()}})
    assert rule.source == "resources.spike"


CRITERION = "resources[0].properties.criteria.allOf[0]"


@pytest.mark.parametrize(
    ("resource", "problem", "where"),
    [
        (metric_alert(operator="GreaterThen"), "'GreaterThen' is not known", f"{CRITERION}.operator"),
        (metric_alert(timeAggregation="Sum"), "'Sum' is not known", f"{CRITERION}.timeAggregation"),
        (metric_alert(threshold="5"), "has to be a number", f"{CRITERION}.threshold"),
        (metric_alert(threshold=True), "has to be a number", f"{CRITERION}.threshold"),
        (metric_alert(metricName=None), "has to be a text", f"{CRITERION}.metricName"),
        (metric_alert(metricName="[concat('a', 'b')]"), "does not calculate", f"{CRITERION}.metricName"),
        (metric_alert(metricName="[parameters('x')]"), "no value for parameter 'x'", f"{CRITERION}.metricName"),
        (metric_alert(criterionType="DynamicThresholdCriterion"), "dynamic thresholds", f"{CRITERION}.criterionType"),
        (metric_alert(dimensions=[{"name": "a", "operator": "Like"}]), "'Like'", f"{CRITERION}.dimensions[0].operator"),
        (metric_alert(dimensions="a"), "has to be a list", f"{CRITERION}.dimensions"),
        (log_alert(query="T | join X"), "operator 'join'", f"{CRITERION}.query, 1:5"),
        (log_alert(query="Missing | count"), "no table 'Missing'", f"{CRITERION}.query, 1:1"),
        (log_alert(metricMeasureColumn="Rate"), "no column 'Rate'", CRITERION),
        (log_alert(failingPeriods={"numberOfEvaluationPeriods": 7}), "at most six", f"{CRITERION}.failingPeriods"),
        (
            {**log_alert(), "properties": {"criteria": {"allOf": []}}},
            "has one condition",
            "resources[0].properties.criteria.allOf",
        ),
    ],
)
def test_what_cannot_be_evaluated_is_refused_with_its_place(resource: dict[str, Any], problem: str, where: str) -> None:
    schemas: dict[str, Columns] = {"StorageBlobLogs": {"StatusCode": "number"}, "T": {"a": "dynamic"}}
    with pytest.raises(AlertRuleError) as caught:
        read_template(template(resource), schemas)
    assert problem in caught.value.problem
    assert caught.value.where == where


@pytest.mark.parametrize("wrong", [[], {}, "x", None])
def test_what_is_no_template(wrong: object) -> None:
    with pytest.raises(AlertRuleError, match="no ARM template"):
        read_template(wrong)
