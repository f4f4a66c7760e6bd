"""`metrics: {of: worker, name: jobs.failed}` — what a metric of a service, or of the Service Bus, was worth during the case."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from pydantic import Field

from peeklock import telemetry
from peeklock.connection_strings import parts_of
from peeklock.engine.context import CaseContext
from peeklock.engine.failure import VerbFailed
from peeklock.engine.verb import Found, Verb
from peeklock.scenario.fields import Model
from peeklock.scenario.http_request import HttpArguments
from peeklock.scenario.matchers import Context as MatchContext
from peeklock.scenario.vocabulary import Complaint, Facts, undeclared
from peeklock.servicebus.auth import make_token
from peeklock.telemetry import Series
from peeklock.telemetry.series import plain
from peeklock.verbs import http
from peeklock.verbs.spans import asked
from peeklock.verbs.where import check_where, compile_where

BUS = "servicebus"


class MetricsArguments(Model):
    """Which metric: of one service, by its name, and of its series those whose attributes a matcher takes."""

    of: str = Field(description="a service, or one replica of it; servicebus: the emulator's own")
    name: str
    path: str | None = Field(
        None, pattern="^/", description="a page of the service's own in Prometheus' text format, as /metrics"
    )
    where: dict[str, Any] = Field({}, description="matchers for attributes, as in {queue: jobs}")


def run(arguments: MetricsArguments, context: CaseContext) -> Found:
    """Return `{value, increase, count, series}` of what matches, summed up; without a series there is no value."""
    series, refused = _seen(arguments, context)
    matcher = compile_where(arguments.where)
    matching = MatchContext(folder=context.folder)
    named = [each for each in series if each.name == arguments.name]
    found = [each for each in named if not matcher.match(dict(each.attributes), matching, "")]
    return Found(_summed(found), nearest="" if found else _nearest(named, series, refused))


def _seen(arguments: MetricsArguments, context: CaseContext) -> tuple[list[Series], list[str]]:
    if arguments.of == BUS and BUS not in context.scenario.header.services:
        return _page(_bus_page(context), arguments.of)
    if arguments.path:
        return _page(http.run(HttpArguments(get=arguments.path, on=arguments.of), context).value, arguments.of)
    return _exported(arguments, context)


def _bus_page(context: CaseContext) -> dict[str, Any]:
    """Return the emulator's answer; its metrics tell the names of entities, so it wants a token."""
    parts = parts_of(context.environment.endpoints.servicebus_connection_string or "")
    url = parts["Endpoint"].replace("sb://", "http://").rstrip("/")
    expires = int(context.environment.clock.now().timestamp()) + 300
    token = make_token(url, parts["SharedAccessKeyName"], parts["SharedAccessKey"], expires)
    answer = http.run(HttpArguments(get=f"{url}/metrics", headers={"authorization": token}), context).value
    found: dict[str, Any] = answer
    return found


def _exported(arguments: MetricsArguments, context: CaseContext) -> tuple[list[Series], list[str]]:
    exported = context.environment.telemetry
    if exported is None:
        raise VerbFailed("the file asks for no telemetry: write `telemetry: true` in its `stack`")
    series = [each for each in exported.series() if arguments.of in (each.service, each.service.rpartition(".")[0])]
    return series, exported.refused


def _page(answer: Mapping[str, Any], of: str) -> tuple[list[Series], list[str]]:
    if answer["status"] != 200:
        raise VerbFailed(f"{of} answers with {answer['status']}, not with a page of metrics")
    try:
        return telemetry.read_page(answer.get("text", ""), of, time.time()), []
    except ValueError as error:
        raise VerbFailed(f"the page of {of} is not in Prometheus' text format: {str(error)[:200]}") from None


def _summed(series: list[Series]) -> dict[str, Any]:
    views = [each.view() for each in series]
    whole = {
        key: plain(round(sum(view[key] for view in views if key in view), 9))
        for key in ("value", "increase", "count")
        if any(key in view for view in views)
    }
    return {**whole, "series": views}


def _nearest(named: list[Series], series: list[Series], refused: list[str]) -> str:
    notes = [f"refused: {reason}" for reason in refused]
    if named:
        return "; ".join([f"{len(named)} series with other attributes, as {dict(named[0].attributes)}", *notes])
    names = list(dict.fromkeys(each.name for each in series))
    text = f"metrics came of other names: {', '.join(names[:8])}" if names else "no metric came at all"
    return "; ".join([text, *notes])


def _check(raw: Any, facts: Facts) -> list[Complaint]:
    of_bus = raw.get("of") == BUS and facts.stack.servicebus is not None and BUS not in facts.services
    known = {*facts.services, *facts.processes, *([BUS] if of_bus else [])}
    complaints = undeclared("service", raw.get("of"), known, ("of",))
    if of_bus and raw.get("path"):
        complaints.append(Complaint(("path",), "the emulator has one page of metrics", fix="leave out `path`"))
    return ([] if raw.get("path") or of_bus else asked(facts)) + complaints + check_where(raw)


VERB = Verb(
    "metrics",
    MetricsArguments,
    "what a metric of a service was worth",
    observes=lambda _: True,
    check=_check,
    run=run,
    requires=("exact_ledger",),
)
