"""Alert rules as Azure deploys them: `metricAlerts` and `scheduledQueryRules` of an ARM template, as Bicep compiles to.

Source: templates of Microsoft.Insights 2018-03-01 and 2021-08-01 onwards.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from typing import Any, TypeVar

from peeklock.alerts.kql import Columns, KqlError, compile_query
from peeklock.alerts.rule import (
    Aggregation,
    Condition,
    Dimension,
    FailingPeriods,
    LogCondition,
    MetricCondition,
    Operator,
    Rule,
)
from peeklock.durations import parse_iso
from peeklock.errors import PeeklockError

_PARAMETER = re.compile(r"\[(parameters|variables)\('([^']+)'\)\]")
_Word = TypeVar("_Word", bound=StrEnum)
Schemas = Mapping[str, Columns]


class AlertRuleError(PeeklockError):
    """An alert rule that cannot be read or evaluated here: where in its file, what was expected, how to fix."""


@dataclass(frozen=True)
class _Node:
    """A value of the template and its place in it, such as `resources[0].properties.criteria`."""

    value: Any
    path: str
    template: Mapping[str, Any]

    def error(self, problem: str, *, expected: str = "", fix: str = "") -> AlertRuleError:
        actual = "nothing" if self.value is None else repr(self.value)[:80]
        return AlertRuleError(problem, where=self.path, expected=expected, actual=actual, fix=fix)

    def get(self, key: str) -> _Node:
        """Return a property, its parameter or variable put in; None's node where there is none."""
        if not isinstance(self.value, dict):
            raise self.error("this has to be an object")
        value = self.value.get(key)
        path = f"{self.path}.{key}" if self.path else key
        if isinstance(value, str) and (match := _PARAMETER.fullmatch(value)):
            value = self._known(match[1], match[2], path)
        elif isinstance(value, str) and value.startswith("[") and not value.startswith("[[") and value.endswith("]"):
            problem = "Peeklock does not calculate this expression"
            raise _Node(value, path, self.template).error(
                problem, fix="Write the value, or use a parameter with a default."
            )
        return _Node(value, path, self.template)

    def _known(self, kind: str, name: str, path: str) -> Any:
        found = self.template.get(kind, {}).get(name)
        value = found.get("defaultValue") if kind == "parameters" and isinstance(found, dict) else found
        if value is None:
            raise AlertRuleError(
                f"the template gives no value for {kind[:-1]} {name!r}",
                where=path,
                fix="Give the parameter a defaultValue.",
            )
        return value

    def items(self) -> Iterator[_Node]:
        if self.value is None:
            return
        if not isinstance(self.value, list):
            raise self.error("this has to be a list")
        for number, value in enumerate(self.value):
            yield _Node(value, f"{self.path}[{number}]", self.template)

    def text(self, default: str | None = None) -> str:
        if self.value is None and default is not None:
            return default
        if not isinstance(self.value, str) or not self.value:
            raise self.error("this has to be a text")
        return self.value

    def number(self, default: float | None = None) -> float:
        if self.value is None and default is not None:
            return default
        if isinstance(self.value, bool) or not isinstance(self.value, int | float):
            raise self.error("this has to be a number")
        return self.value

    def truth(self, *, default: bool) -> bool:
        if self.value is None:
            return default
        if not isinstance(self.value, bool):
            raise self.error("this has to be true or false")
        return self.value

    def duration(self) -> float:
        found = parse_iso(self.value) if isinstance(self.value, str) else None
        if not found:
            raise self.error("this has to be a duration", expected="ISO 8601, such as PT5M")
        return found

    def word(self, kind: type[_Word]) -> _Word:
        words = {word.value.casefold(): word for word in kind}
        given = self.text()
        given = "Equal" if given == "Equals" else given
        if given.casefold() not in words:
            near = get_close_matches(given, [word.value for word in kind], 1)
            fix = f"did you mean {near[0]!r}?" if near else ""
            raise self.error(f"{given!r} is not known here", expected=", ".join(word.value for word in kind), fix=fix)
        return words[given.casefold()]


def read_template(template: Any, schemas: Schemas | None = None) -> list[Rule]:
    """Return the alert rules of a decoded ARM template; nested deployments are not looked into.

    `schemas` holds the columns of the tables that queries may read. Raises `AlertRuleError` for the first rule that cannot be
    evaluated as Azure would, its place in the template in `where`.
    """
    if not isinstance(template, dict) or "resources" not in template:
        raise AlertRuleError(
            "this is no ARM template", expected="an object with `resources`, as `bicep build` writes it"
        )
    resources = template["resources"]
    if isinstance(resources, dict):
        nodes = [_Node(value, f"resources.{key}", template) for key, value in resources.items()]
    else:
        nodes = list(_Node(resources, "resources", template).items())
    kinds: dict[str, Callable[[_Node, Schemas | None], Rule]] = {
        "microsoft.insights/metricalerts": _metric_alert,
        "microsoft.insights/scheduledqueryrules": _log_alert,
    }
    read = [(kinds.get(str(node.get("type").value).casefold()), node) for node in nodes]
    return [reader(node, schemas) for reader, node in read if reader]


def _metric_alert(node: _Node, _: Schemas | None) -> Rule:
    criteria = node.get("properties").get("criteria")
    conditions = tuple(map(_metric_condition, criteria.get("allOf").items()))
    if not conditions:
        raise criteria.error("a metric alert needs a condition", expected="allOf: a list of criteria")
    return _rule(node, conditions)


def _metric_condition(node: _Node) -> MetricCondition:
    if node.get("criterionType").value == "DynamicThresholdCriterion":
        problem = "Peeklock does not evaluate dynamic thresholds: they are learnt from weeks of a metric"
        raise node.get("criterionType").error(problem, fix="Use a StaticThresholdCriterion in the scenario's rules.")
    return MetricCondition(
        metric=node.get("metricName").text(),
        aggregation=node.get("timeAggregation").word(Aggregation),
        operator=node.get("operator").word(Operator),
        threshold=node.get("threshold").number(),
        dimensions=_dimensions(node),
    )


def _log_alert(node: _Node, schemas: Schemas | None) -> Rule:
    criteria = node.get("properties").get("criteria").get("allOf")
    conditions = tuple(_log_condition(each, schemas) for each in criteria.items())
    if len(conditions) != 1:
        raise criteria.error("a log alert has one condition", expected="allOf: a list of one criterion")
    return _rule(node, conditions)


def _log_condition(node: _Node, schemas: Schemas | None) -> LogCondition:
    query, failing, column = node.get("query"), node.get("failingPeriods"), node.get("metricMeasureColumn")
    try:
        compiled = compile_query(query.text(), schemas)
    except KqlError as error:
        where = f"{query.path}, {error.where}"
        raise AlertRuleError(
            error.problem, where=where, expected=error.expected, actual=error.actual, fix=error.fix
        ) from None
    periods = FailingPeriods() if failing.value is None else _failing(failing)
    measure = column.text() if column.value else None
    names = [*([measure] if measure else []), *(dimension.name for dimension in _dimensions(node))]
    for name in names:
        if compiled.columns is not None and name not in compiled.columns:
            expected = ", ".join(sorted(compiled.columns))
            raise node.error(f"the query's answer has no column {name!r}", expected=expected)
    return LogCondition(
        query=compiled,
        operator=node.get("operator").word(Operator),
        threshold=node.get("threshold").number(),
        aggregation=node.get("timeAggregation").word(Aggregation),
        column=measure,
        dimensions=_dimensions(node),
        failing=periods,
    )


def _failing(node: _Node) -> FailingPeriods:
    least, of = (int(node.get(key).number(1)) for key in ("minFailingPeriodsToAlert", "numberOfEvaluationPeriods"))
    if not 1 <= least <= of <= 6:
        raise node.error("of at most six periods, at least one and not more than all have to fail")
    return FailingPeriods(least, of)


def _dimensions(node: _Node) -> tuple[Dimension, ...]:
    found = []
    for each in node.get("dimensions").items():
        operator = each.get("operator").text("Include")
        if operator not in ("Include", "Exclude"):
            raise each.get("operator").error(f"{operator!r} is not known here", expected="Include, Exclude")
        values = tuple(value.text() for value in each.get("values").items())
        found.append(Dimension(each.get("name").text(), values or ("*",), operator == "Exclude"))
    return tuple(found)


def _rule(node: _Node, conditions: tuple[Condition, ...]) -> Rule:
    properties = node.get("properties")
    return Rule(
        name=node.get("name").text(),
        conditions=conditions,
        window=properties.get("windowSize").duration(),
        frequency=properties.get("evaluationFrequency").duration(),
        resolve=properties.get("autoMitigate").truth(default=True),
        severity=int(properties.get("severity").number(3)),
        enabled=properties.get("enabled").truth(default=True),
        source=node.path,
    )
