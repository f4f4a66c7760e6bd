"""`job: {start: reindex}` — begin an execution of a Container Apps job."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from peeklock.engine.context import CaseContext
from peeklock.engine.environments import env_text
from peeklock.engine.failure import VerbFailed
from peeklock.engine.verb import Found, Verb
from peeklock.errors import PeeklockError
from peeklock.scenario.fields import Model
from peeklock.scenario.vocabulary import Complaint, Facts, undeclared


class JobArguments(Model):
    """A job, whatever its trigger is, and what differs in this execution."""

    start: str = Field(description="a service whose `scale` has a `job`")
    env: dict[str, str | int | float | bool] = Field({}, description="variables besides the service's own, or instead")
    run: list[str] | None = Field(None, min_length=1, description="the command instead of the service's own")


def run(arguments: JobArguments, context: CaseContext) -> Found:
    """Return the execution as `scale` shows it, when its replicas have been started."""
    env = {name: env_text(value) for name, value in arguments.env.items()}
    try:
        return Found(context.scaler.start(arguments.start, env, arguments.run))
    except PeeklockError as error:
        raise VerbFailed(str(error)) from None


def _check(raw: Any, facts: Facts) -> list[Complaint]:
    name = raw.get("start") if isinstance(raw, dict) else None
    found = undeclared("service", name, facts.services, ("start",))
    if not found and name in facts.services and name not in facts.jobs:
        return [
            Complaint(
                ("start",),
                f"{name} is no job",
                expected="a service with scale: {job: …}",
                fix="say service: {start: …} for a service that goes on running",
            )
        ]
    return found


VERB = Verb("job", JobArguments, "begin an execution of a job", check=_check, run=run)
