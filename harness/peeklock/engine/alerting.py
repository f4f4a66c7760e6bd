"""What has become of the alert rules of a file in a case."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from peeklock.alerts import Alert, Measured, MetricCondition, Recording, Rule, alerts_of, looks, nearest
from peeklock.alerts.tables import METRICS, TELEMETRY_TABLES
from peeklock.engine.context import CaseContext
from peeklock.engine.signals import everything, measured
from peeklock.scenario.errors import suggestion


@dataclass(frozen=True)
class Judged:
    """What has become of a rule, which was made as the case began, until the clock's present time."""

    alerts: list[Alert]
    nearest: str
    """The evaluation that came nearest to firing, in words."""


def judge(context: CaseContext, name: str) -> Judged:
    """Evaluate a rule of the file."""
    clock, rule = context.environment.clock, context.scenario.alerts[name]
    start, end = clock.shown(context.started_at), clock.now().timestamp()
    seen = measured(context, end, rule.signals)
    past = looks(rule, seen, start, end)
    return Judged(alerts_of(rule, past), "; ".join([nearest(rule, past), *_missing(context, rule, seen)]))


def record(context: CaseContext) -> Recording | None:
    """Return all that rules could look at in a case whose file names any, for `peeklock alerts`."""
    if not context.scenario.alerts:
        return None
    clock = context.environment.clock
    start, end = clock.shown(context.started_at), clock.now().timestamp()
    return Recording(context.id, start, end, everything(context, end))


def _missing(context: CaseContext, rule: Rule, seen: Measured) -> Iterator[str]:
    """Yield what a rule looks at that did not come, and what came in its place."""
    telemetry = context.environment.telemetry
    if telemetry is None:
        return
    missed = False
    for condition in rule.conditions:
        if isinstance(condition, MetricCondition):
            name = condition.metric
            if name in METRICS or seen.metrics[name]:
                continue
            names = list(dict.fromkeys(series.name for series in telemetry.series()))
            came = f"metrics came of other names: {', '.join(sorted(names)[:8])}" if names else "no metric came at all"
            yield "; ".join(filter(None, [f"no {name} came", came, suggestion(name, names)]))
        else:
            name = condition.query.table
            if name not in TELEMETRY_TABLES or seen.tables[name]:
                continue
            yield f"{name} is empty: no service has sent anything for it"
        missed = True
    if missed:
        yield from (f"refused: {reason}" for reason in telemetry.refused)
