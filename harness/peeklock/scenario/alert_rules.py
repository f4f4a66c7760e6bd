"""Alert rules that a scenario file names: `rules.yaml` in a few words of Azure Monitor's, or an ARM template."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from peeklock.alerts import (
    EACH,
    Aggregation,
    AlertRuleError,
    Condition,
    Dimension,
    FailingPeriods,
    KqlError,
    LogCondition,
    MetricCondition,
    Operator,
    Rule,
    compile_query,
    read_template,
)
from peeklock.alerts.tables import METRICS, TABLES, TELEMETRY_METRICS, TELEMETRY_TABLES
from peeklock.scenario.document import DataPath, Document, parse
from peeklock.scenario.durations import Duration
from peeklock.scenario.errors import Problem, ScenarioInvalid, suggestion
from peeklock.scenario.fields import Model
from peeklock.scenario.topology import Stack
from peeklock.scenario.validation import validate

_ASK = "write `telemetry: true` in the scenario's `stack`"


class FailingPeriodsModel(Model):
    """Of the last `of` windows, so many have to fail."""

    at_least: int = Field(1, ge=1, le=6)
    of: int = Field(1, ge=1, le=6)


class RuleModel(Model):
    """One alert rule: a metric, or a query over logs, against a threshold."""

    metric: str | None = Field(
        None, description="DeadletteredMessages or another of docs/alerts.md, or one that a service sends"
    )
    query: str | None = Field(None, description="KQL, over the tables of docs/alerts.md")
    column: str | None = Field(None, description="the column of the query's answer to measure; default: count its rows")
    dimensions: dict[str, str | list[str]] = Field({}, description='EntityName: jobs; "*": each value by itself')
    aggregation: Literal["Average", "Total", "Maximum", "Minimum", "Count"] | None = Field(
        None, description="default: Average of a metric, Count of rows"
    )
    operator: Literal["GreaterThan", "GreaterThanOrEqual", "LessThan", "LessThanOrEqual", "Equal"] = "GreaterThan"
    threshold: float
    window: Duration = Field(300.0, gt=0, description="how far back each evaluation looks")
    frequency: Duration = Field(60.0, gt=0, description="how often it is evaluated")
    failing_periods: FailingPeriodsModel = FailingPeriodsModel()
    resolve: bool = True
    severity: int = Field(3, ge=0, le=4)
    enabled: bool = True

    @model_validator(mode="after")
    def _one_signal(self) -> Self:
        if (self.metric is None) == (self.query is None):
            raise ValueError("a rule has either a `metric` or a `query`")
        if self.metric is not None and (self.column or self.failing_periods != FailingPeriodsModel()):
            raise ValueError("`column` and `failing_periods` belong to a `query`")
        if self.failing_periods.at_least > self.failing_periods.of:
            raise ValueError("no more periods can fail than there are")
        return self


def load_rules(
    files: Mapping[DataPath, str], document: Document, stack: Stack
) -> tuple[dict[str, Rule], list[Problem]]:
    """Return the rules of several files by their names, and what is wrong.

    `files`: as they are written in the document, relative to it, by their place there.
    """
    rules: dict[str, Rule] = {}
    problems: list[Problem] = []
    for place, name in files.items():
        owner = document.owner(place)
        file = (owner.path.parent / name).resolve()
        if not file.is_file():
            fix = "paths are relative to the file that names them"
            problems.append(document.problem(place, f"no such file: {name}", fix=fix))
            continue
        try:
            found, wrong = read_rules(file, telemetry=stack.telemetry is not None)
        except ScenarioInvalid as error:
            problems += error.problems
            continue
        problems += wrong
        for rule in found:
            if rule.name in rules:
                problems.append(document.problem(place, f'two alert rules are called "{rule.name}"', fix="rename one"))
            rules[rule.name] = rule
            problems += [
                document.problem(place, f'"{rule.name}" {text}', expected=expected, fix=fix)
                for condition in rule.conditions
                for text, expected, fix in _out_of_sight(condition, stack)
            ]
    return rules, problems


def _out_of_sight(condition: Condition, stack: Stack) -> Iterator[tuple[str, str, str]]:
    """Yield why a condition can never be met on a stack, what would be possible, and the remedy."""
    if _on_blobs(condition) and not stack.has_blob_door:
        text = "is about requests to blobs: only those that come through the blob door are known"
        yield text, "", "give `stack.blobs` a `name`"
    if isinstance(condition, MetricCondition) and "EntityName" in METRICS.get(condition.metric, ()):
        bus = stack.servicebus
        known = {**bus.receivable(), **bus.topics} if bus else {}
        for dimension in condition.dimensions:
            for name in dimension.values:
                if name != EACH and name not in known:
                    yield (
                        f'looks at "{name}", which the file does not declare',
                        ", ".join(known),
                        suggestion(name, known),
                    )


def _on_blobs(condition: Condition) -> bool:
    if isinstance(condition, MetricCondition):
        return condition.metric == "Transactions"
    return condition.query.table == "StorageBlobLogs"


def read_rules(file: Path, *, telemetry: bool) -> tuple[list[Rule], list[Problem]]:
    """Return the rules of one file, and what is wrong. `telemetry`: whether services tell any. Raises `ScenarioInvalid`."""
    document = parse(file)
    if isinstance(document.data, dict) and "resources" in document.data:
        return _of_template(document, telemetry=telemetry)
    if not isinstance(document.data, dict) or not document.data:
        text = "a mapping from the names of rules to rules is needed, or an ARM template"
        return [], [document.problem((), text, expected="dlq_spike: {metric: DeadletteredMessages, threshold: 0}")]
    rules: list[Rule] = []
    problems: list[Problem] = []
    for name, raw in document.data.items():
        model, wrong = validate(RuleModel, raw, document, (name,))
        if model is not None:
            rule, wrong = _rule(str(name), model, document, telemetry=telemetry)
            rules += [rule] if rule is not None else []
        problems += wrong
    return rules, problems


def _of_template(document: Document, *, telemetry: bool) -> tuple[list[Rule], list[Problem]]:
    try:
        rules = read_template(document.data, TABLES)
    except AlertRuleError as error:
        path = _data_path(error.where)
        return [], [document.problem(path, error.problem, expected=error.expected, actual=error.actual, fix=error.fix)]
    problems = [
        problem
        for rule in rules
        for number, condition in enumerate(rule.conditions)
        for problem in _of_condition(
            condition,
            document,
            (*_data_path(rule.source), "properties", "criteria", "allOf", number),
            "metricName",
            telemetry=telemetry,
        )
    ]
    if not rules:
        problems.append(document.problem(("resources",), "the template has no metricAlerts and no scheduledQueryRules"))
    return rules, problems


def _data_path(where: str) -> DataPath:
    """Return the way to `resources[0].properties.criteria`."""
    parts = re.findall(r"\[(\d+)\]|([^.\[\]]+)", where.partition(",")[0])
    return tuple(int(number) if number else name for number, name in parts)


def _rule(name: str, model: RuleModel, document: Document, *, telemetry: bool) -> tuple[Rule | None, list[Problem]]:
    dimensions = tuple(
        Dimension(key, tuple(values) if isinstance(values, list) else (values,))
        for key, values in model.dimensions.items()
    )
    operator = Operator(model.operator)
    condition: Condition
    if model.metric is not None:
        aggregation = Aggregation(model.aggregation or "Average")
        condition = MetricCondition(model.metric, aggregation, operator, model.threshold, dimensions)
    else:
        try:
            query = compile_query(model.query or "", TABLES)
        except KqlError as error:
            message = f"{error.problem} (at {error.where} of the query)"
            return None, [document.problem((name, "query"), message, expected=error.expected, fix=error.fix)]
        failing = FailingPeriods(model.failing_periods.at_least, model.failing_periods.of)
        aggregation = Aggregation(model.aggregation or ("Average" if model.column else "Count"))
        condition = LogCondition(query, operator, model.threshold, aggregation, model.column, dimensions, failing)
    rule = Rule(
        name,
        (condition,),
        model.window,
        model.frequency,
        model.resolve,
        model.severity,
        model.enabled,
        document.path.name,
    )
    return rule, _of_condition(condition, document, (name,), "metric", telemetry=telemetry)


def _of_condition(
    condition: Condition, document: Document, path: DataPath, metric_key: str, *, telemetry: bool
) -> list[Problem]:
    """Return what a rule names that Peeklock does not fill: its alert would never fire."""
    if isinstance(condition, LogCondition):
        return _of_query(condition, document, path, telemetry=telemetry)
    place, known = (*path, metric_key), METRICS.get(condition.metric)
    if condition.metric in TELEMETRY_METRICS and not telemetry:
        return [document.problem(place, f"{condition.metric} is made of telemetry", fix=_ASK)]
    if known is None:
        if telemetry:
            return []
        text = f'Peeklock measures no metric "{condition.metric}"'
        filled = [name for name in METRICS if name not in TELEMETRY_METRICS]
        near = suggestion(condition.metric, filled)
        fix = " Or, ".join(filter(None, [near, f"if a service sends it, {_ASK}"]))
        return [document.problem(place, text, expected="one of " + ", ".join(filled), fix=fix)]
    return [
        document.problem(
            (*path, "dimensions"),
            f'{condition.metric} has no dimension "{each.name}"',
            expected="one of " + ", ".join(known),
            fix=suggestion(each.name, known),
        )
        for each in condition.dimensions
        if each.name not in known
    ]


def _of_query(condition: LogCondition, document: Document, path: DataPath, *, telemetry: bool) -> list[Problem]:
    columns: Mapping[str, Any] = condition.query.columns or {}
    wanted = {"column": condition.column} | {f"dimensions {each.name}": each.name for each in condition.dimensions}
    problems = [
        document.problem(
            path,
            f'the query\'s answer has no column "{name}"',
            expected="one of " + ", ".join(sorted(columns)),
            fix=suggestion(name, columns),
        )
        for name in wanted.values()
        if name is not None and name not in columns
    ]
    if condition.query.table in TELEMETRY_TABLES and not telemetry:
        problems.append(document.problem((*path, "query"), f"{condition.query.table} is filled by telemetry", fix=_ASK))
    return problems
