"""`clock: {advance: 15d}` — move the wall clock of everything that the case stands on."""

from __future__ import annotations

from datetime import UTC, datetime

from pydantic import Field, model_validator

from peeklock.alerts.tables import METRICS, TABLES
from peeklock.durations import format_duration
from peeklock.engine.context import CaseContext
from peeklock.engine.failure import VerbFailed
from peeklock.engine.verb import Found, Verb
from peeklock.engine.waiting import Look, wait_until
from peeklock.errors import PeeklockError
from peeklock.scenario.durations import Duration
from peeklock.scenario.fields import Model
from peeklock.scenario.moments import Moment
from peeklock.telemetry import service_of

METRICS_WITHIN = 1.0
"""Seconds that a service is given to export its metrics before the clock is moved: it does so five times a second."""
FIRST_WITHIN = 0.3
"""The same of one that has exported none yet, and perhaps never will."""


class ClockArguments(Model):
    """By how much, or to when."""

    advance: Duration | None = Field(None, gt=0)
    to: Moment | None = Field(None, description="a moment to come, as in 2027-01-01T00:00:00Z")

    @model_validator(mode="after")
    def _one(self) -> ClockArguments:
        if (self.advance is None) == (self.to is None):
            raise ValueError("say exactly one of advance or to")
        return self


def run(arguments: ClockArguments, context: CaseContext) -> Found:
    """Return `{now, advanced}` (a timestamp, seconds) when all have the new time and what fell due by it has been done."""
    clock = context.environment.clock
    if arguments.advance is not None:
        seconds = arguments.advance
    else:
        assert arguments.to is not None
        seconds = (arguments.to - clock.now()).total_seconds()
        if seconds < 0:
            raise VerbFailed(
                f"time does not run backwards: it is {_iso(clock.now())} already, and {_iso(arguments.to)} has been",
                path=("to",),
            )
    _await_metrics(context)
    try:
        now = clock.advance(seconds)
    except PeeklockError as error:
        raise VerbFailed(str(error)) from None
    context.signal.wake()  # from now on things happen because of it: nothing has come to rest yet
    context.note("clock", f"moved by {format_duration(seconds)} to {_iso(now)}")
    context.scaler.run_due()
    context.ledger.refresh()
    return Found({"now": _iso(now), "advanced": round(seconds, 3)})


def _await_metrics(context: CaseContext) -> None:
    """Wait until services have exported what they counted for alerts: after the move it would be of the time after it."""
    telemetry, services = context.environment.telemetry, context.environment.services
    if telemetry is None or not any(
        _is_counted(name) for rule in context.scenario.alerts.values() for name in rule.signals
    ):
        return
    now = context.environment.clock.now().timestamp()
    running = [name for name in services.names() if services.running(name)]

    def late() -> Look[None]:
        found = [process for process, at in telemetry.exported().items() if at < now and service_of(process) in running]
        return Look(not found, None)

    def silent() -> Look[None]:
        return Look(set(running) <= set(map(service_of, telemetry.exported())), None)

    for look, seconds in ((silent, FIRST_WITHIN), (late, METRICS_WITHIN)):
        context.spent.waiting += wait_until(look, context.deadline.sooner(seconds), context.signal).seconds


def _is_counted(signal: str) -> bool:
    return signal == "AppMetrics" or (signal not in METRICS and signal not in TABLES)


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


VERB = Verb(
    "clock",
    ClockArguments,
    "move the wall clock of everything that the case stands on",
    shorthand=lambda raw: {"advance": raw} if isinstance(raw, str) else raw,
    requires=("clock",),
    run=run,
)
