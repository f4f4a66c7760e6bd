"""`pause: {service: worker, at: {queue: jobs, on: complete}}` — hold a service still at a moment of its work."""

from __future__ import annotations

from pydantic import Field, model_validator

from peeklock.engine.context import CaseContext
from peeklock.engine.crash_points import CrashPoint
from peeklock.engine.failure import VerbFailed
from peeklock.engine.verb import Found, Verb
from peeklock.errors import PeeklockError
from peeklock.scenario.durations import Duration
from peeklock.scenario.fields import Model
from peeklock.verbs.crash import AtArguments, await_point, check_point


class PauseArguments(Model):
    """Set a point at which a service stands still, or wait until one was reached."""

    service: str | None = None
    at: AtArguments | None = Field(None, description="as in `crash`")
    for_: Duration | None = Field(
        None,
        alias="for",
        gt=0,
        description="then it goes on; absent: until `service: {resume: NAME}`, or the end of the case",
    )
    wait: str | None = Field(None, description="the service that must stand still at its point")
    within: Duration = Field(20.0, gt=0)

    @model_validator(mode="after")
    def _one(self) -> PauseArguments:
        if (self.wait is None) == (self.service is None) or (self.service is None) != (self.at is None):
            raise ValueError("say service and at, or wait")
        if self.wait is not None and self.for_ is not None:
            raise ValueError("for goes with service and at")
        return self


def run(arguments: PauseArguments, context: CaseContext) -> Found:
    """Set the point and return, or wait until the service stands still there."""
    if arguments.wait is not None:
        return await_point(arguments.wait, arguments.within, context, pauses=True)
    assert arguments.at is not None
    service = str(arguments.service)
    moment = arguments.at.moment(service)
    context.note(service, f"is to pause at {moment}")
    try:
        context.crashes.set(CrashPoint(service, moment, pauses=True, longest=arguments.for_), context.ledger)
    except PeeklockError as error:
        raise VerbFailed(f"pause {service}: {error}") from None
    return Found({"reached": False})


VERB = Verb(
    "pause",
    PauseArguments,
    "hold a service still at an exact moment of its work",
    check=check_point,
    requires=("faults",),
    run=run,
)
