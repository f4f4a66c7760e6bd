"""`metrics: {of: worker, name: jobs.failed}` — what a metric of a service was worth during the case."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from peeklock.engine.context import CaseContext
from peeklock.engine.failure import VerbFailed
from peeklock.engine.verb import Found, Verb
from peeklock.scenario.fields import Model
from peeklock.scenario.matchers import Context as MatchContext
from peeklock.scenario.vocabulary import Complaint, Facts, undeclared
from peeklock.telemetry import Series
from peeklock.telemetry.series import plain
from peeklock.verbs.spans import asked
from peeklock.verbs.where import check_where, compile_where


class MetricsArguments(Model):
    """Which metric: of one service, by its name, and of its series those whose attributes a matcher takes."""

    of: str = Field(description="a service, or one replica of it")
    name: str
    where: dict[str, Any] = Field({}, description="matchers for attributes, as in {queue: jobs}")


def run(arguments: MetricsArguments, context: CaseContext) -> Found:
    """Return `{value, increase, count, series}` of what matches, summed up; without a series there is no value."""
    telemetry = context.environment.telemetry
    if telemetry is None:
        raise VerbFailed("the file asks for no telemetry: write `telemetry: true` in its `stack`")
    matcher = compile_where(arguments.where)
    matching = MatchContext(folder=context.folder)
    of_service = [
        each for each in telemetry.series() if arguments.of in (each.service, each.service.rpartition(".")[0])
    ]
    named = [each for each in of_service if each.name == arguments.name]
    found = [each for each in named if not matcher.match(dict(each.attributes), matching, "")]
    return Found(_summed(found), nearest="" if found else _nearest(named, of_service, telemetry.refused))


def _summed(series: list[Series]) -> dict[str, Any]:
    views = [each.view() for each in series]
    whole = {
        key: plain(round(sum(view[key] for view in views if key in view), 9))
        for key in ("value", "increase", "count")
        if any(key in view for view in views)
    }
    return {**whole, "series": views}


def _nearest(named: list[Series], of_service: list[Series], refused: list[str]) -> str:
    notes = [f"refused: {reason}" for reason in refused]
    if named:
        return "; ".join([f"{len(named)} series with other attributes, as {dict(named[0].attributes)}", *notes])
    names = list(dict.fromkeys(each.name for each in of_service))
    text = f"metrics came of other names: {', '.join(names[:8])}" if names else "no metric came at all"
    return "; ".join([text, *notes])


def _check(raw: Any, facts: Facts) -> list[Complaint]:
    complaints = undeclared("service", raw.get("of"), facts.services | facts.processes, ("of",))
    return asked(facts) + complaints + check_where(raw)


VERB = Verb(
    "metrics",
    MetricsArguments,
    "what a metric of a service was worth",
    observes=lambda _: True,
    check=_check,
    run=run,
)
