"""`service: {kill: worker}` — start, stop, kill, pause, resume or restart a service, or what services stand on."""

from __future__ import annotations

from typing import Any

from pydantic import model_validator

from peeklock.engine.context import CaseContext
from peeklock.engine.failure import VerbFailed
from peeklock.engine.verb import Found, Verb
from peeklock.errors import PeeklockError
from peeklock.scenario.fields import Model
from peeklock.scenario.services import process_names
from peeklock.scenario.topology import DEPENDENCIES
from peeklock.scenario.vocabulary import Complaint, Facts, undeclared
from peeklock.stack.backend import Dependencies, Services

_ACTIONS = ("start", "stop", "kill", "pause", "resume", "restart")


class ServiceArguments(Model):
    """One action with the name of a service, of one replica of it (`worker.1`), or of postgres, blobs, servicebus."""

    start: str | None = None
    stop: str | None = None
    kill: str | None = None
    pause: str | None = None
    resume: str | None = None
    restart: str | None = None

    @model_validator(mode="after")
    def _one(self) -> ServiceArguments:
        if sum(getattr(self, action) is not None for action in _ACTIONS) != 1:
            raise ValueError("say exactly one of " + ", ".join(_ACTIONS))
        return self


def run(arguments: ServiceArguments, context: CaseContext) -> Found:
    """Do it, and return `{running}` when it is done: ready after a start, gone after a stop."""
    action = next(action for action in _ACTIONS if getattr(arguments, action) is not None)
    name = str(getattr(arguments, action))
    context.note(name, action)
    if action != "pause":
        context.crashes.resume(name)
    try:
        processes: Services | Dependencies = context.environment.services
        if name not in process_names(context.scenario.header.services):
            processes = context.environment.dependencies
        if action == "restart":
            processes.stop(name)
            processes.start(name)
        else:
            getattr(processes, action)(name)
    except PeeklockError as error:
        raise VerbFailed(f"{action} {name}: {error}") from None
    if action in ("stop", "kill", "pause"):
        context.stopped.add(name)
    else:
        context.stopped.discard(name)
    return Found({"running": int(processes.running(name))})


def _check(raw: Any, facts: Facts) -> list[Complaint]:
    known = [*facts.processes, *(kind for kind in DEPENDENCIES if getattr(facts.stack, kind) is not None)]
    return [
        complaint
        for action in _ACTIONS
        if action in raw
        for complaint in undeclared("service", raw[action], known, (action,))
    ]


VERB = Verb(
    "service",
    ServiceArguments,
    "start, stop, kill, pause, resume or restart a service, or postgres, blobs, servicebus",
    check=_check,
    run=run,
)
