"""Alert rules in Azure Monitor's words, evaluated by the clock of whoever asks."""

from __future__ import annotations

from peeklock.alerts.arm import AlertRuleError, read_template
from peeklock.alerts.evaluation import Alert, Look, Looks, Measured, alerts_of, evaluate, looks, nearest
from peeklock.alerts.kql import KqlError, Query, Row, compile_query
from peeklock.alerts.point import Point, sampled, summed
from peeklock.alerts.recording import Recording, RecordingError, read_recording
from peeklock.alerts.rule import (
    EACH,
    Aggregation,
    Condition,
    Dimension,
    FailingPeriods,
    LogCondition,
    MetricCondition,
    Operator,
    Rule,
)

__all__ = [
    "EACH",
    "Aggregation",
    "Alert",
    "AlertRuleError",
    "Condition",
    "Dimension",
    "FailingPeriods",
    "KqlError",
    "LogCondition",
    "Look",
    "Looks",
    "Measured",
    "MetricCondition",
    "Operator",
    "Point",
    "Query",
    "Recording",
    "RecordingError",
    "Row",
    "Rule",
    "alerts_of",
    "compile_query",
    "evaluate",
    "looks",
    "nearest",
    "read_recording",
    "read_template",
    "sampled",
    "summed",
]
