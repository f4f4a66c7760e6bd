"""`clock: {advance: 15d}` — move the wall clock of everything that the case stands on."""

from __future__ import annotations

from datetime import UTC, datetime

from pydantic import Field, model_validator

from peeklock.durations import format_duration
from peeklock.engine.context import CaseContext
from peeklock.engine.failure import VerbFailed
from peeklock.engine.verb import Found, Verb
from peeklock.errors import PeeklockError
from peeklock.scenario.durations import Duration
from peeklock.scenario.fields import Model
from peeklock.scenario.moments import Moment


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
    try:
        now = clock.advance(seconds)
    except PeeklockError as error:
        raise VerbFailed(str(error)) from None
    context.signal.wake()  # from now on things happen because of it: nothing has come to rest yet
    context.note("clock", f"moved by {format_duration(seconds)} to {_iso(now)}")
    context.scaler.run_due()
    context.ledger.refresh()
    return Found({"now": _iso(now), "advanced": round(seconds, 3)})


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
