"""`crash: {service: worker, at: {queue: jobs, on: complete}}` — kill a service at a moment of its work."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from peeklock.engine.context import CaseContext
from peeklock.engine.crash_points import CrashAt, CrashPoint
from peeklock.engine.failure import VerbFailed
from peeklock.engine.verb import Found, Verb
from peeklock.engine.waiting import Look, wait_until
from peeklock.errors import PeeklockError
from peeklock.scenario.changes import Changes
from peeklock.scenario.durations import Duration
from peeklock.scenario.fields import Model
from peeklock.scenario.vocabulary import Complaint, Facts, undeclared
from peeklock.stack.backend import HeldCommit

Moment = Literal[
    "send", "answer", "complete", "abandon", "defer", "dead_letter", "release",
    "enqueued", "delivered", "completed", "abandoned", "deferred", "dead_lettered", "released", "lock_expired",
]  # fmt: skip


class AtArguments(Model):
    """The moment: of a queue, of a transaction of the service, or of its log."""

    queue: str | None = Field(None, description="a queue, a topic, or a subscription by its path")
    on: Moment | None = Field(
        None,
        description="exact, for the emulator holds the operation: send (arrives, not taken), answer (taken, the sender not "
        "told), complete, abandon, defer, dead_letter, release (arrives, not done); a moment after it has happened: "
        "enqueued, delivered, completed, abandoned, deferred, dead_lettered, released, lock_expired",
    )
    message_id: str | None = None
    nth: int = Field(1, ge=1, description="which of them, counted from this step on")
    by: str | None = Field(None, description="of a queue: only what this service does; default: whoever does it")
    commit: Changes | None = Field(
        None,
        description="exact: a transaction of the service has arrived at its commit and is not done: INSERT orders, or a list of "
        "such, all of which it has; true: any that changes something",
    )
    committed: Changes | None = Field(None, description="exact: the same, done, and the service was not told")
    log: str | None = Field(None, description="the `event` of a JSON line that the service logs")

    @model_validator(mode="after")
    def _one(self) -> AtArguments:
        by_queue = self.queue is not None and self.on is not None
        of_queue = self.queue or self.on or self.message_id or self.by
        others = [each for each in (self.commit, self.committed, self.log) if each is not None]
        if by_queue + len(others) != 1 or (others and of_queue):
            raise ValueError("say queue and on, or commit, or committed, or log")
        return self

    def moment(self, service: str) -> CrashAt:
        """Return the moment as the engine knows it, in the work of a service."""
        if self.commit is not None or self.committed is not None:
            changes = self.commit if self.commit is not None else self.committed
            return CrashAt(commit=HeldCommit(service, changes or (), self.commit is None, self.nth), nth=self.nth)
        return CrashAt(self.queue or "", self.on or "", self.message_id, self.log or "", self.nth, self.by)


class CrashArguments(Model):
    """Set a crash point, or wait until one was reached."""

    service: str | None = None
    at: AtArguments | None = None
    restart: bool = Field(True, description="start the service again, as a platform does")
    wait: str | None = Field(None, description="the service whose crash point must have been reached")
    within: Duration = Field(20.0, gt=0)

    @model_validator(mode="after")
    def _one(self) -> CrashArguments:
        if (self.wait is None) == (self.service is None) or (self.service is None) != (self.at is None):
            raise ValueError("say service and at, or wait")
        return self


def run(arguments: CrashArguments, context: CaseContext) -> Found:
    """Set the point and return, or wait until the service was killed and, if it should, runs again."""
    if arguments.wait is not None:
        return await_point(arguments.wait, arguments.within, context)
    assert arguments.at is not None
    service, at = str(arguments.service), arguments.at
    moment = at.moment(service)
    context.note(service, f"is to crash at {moment}")
    try:
        context.crashes.set(CrashPoint(service, moment, arguments.restart), context.ledger)
    except PeeklockError as error:
        raise VerbFailed(f"crash {service}: {error}") from None
    return Found({"reached": False})


def await_point(service: str, within: float, context: CaseContext, *, pauses: bool = False) -> Found:
    """Return when the newest point of a service was reached."""
    point = context.crashes.of(service, pauses=pauses)
    if point is None:
        verb = "pause" if pauses else "crash"
        raise VerbFailed(f"no {verb} point was set for {service}: a step before must say {verb}: {{service: …, at: …}}")
    waited = wait_until(lambda: Look(point.done.is_set(), None), context.deadline.sooner(within), context.signal)
    context.spent.waiting += waited.seconds
    if not waited.good:
        raise VerbFailed(f"{service} did not come to {point.at}: {waited.why}")
    if point.trouble:
        raise VerbFailed(point.trouble)
    return Found({"reached": True})


def check_point(raw: Any, facts: Facts) -> list[Complaint]:
    """Return what is wrong with the names in a point."""
    found: list[Complaint] = []
    for key in ("service", "wait"):
        if key in raw:
            found += undeclared("service", raw[key], facts.processes, (key,))
    at = raw.get("at")
    if raw.get("service") in facts.processes - facts.services and isinstance(at, dict) and "log" not in at:
        what = "a queue holds whoever comes first, whichever replica that is, and so does a database"
        found.append(Complaint(("at",), what, "a moment in its log", "say at: {log: EVENT}, or name the service"))
    if isinstance(at, dict) and not {"commit", "committed"}.isdisjoint(at) and facts.stack.postgres is None:
        what = "the file has no Postgres in which anything could be committed"
        found.append(Complaint(("at",), what, "stack.postgres", "declare it, or choose another moment"))
    if isinstance(at, dict) and "queue" in at:
        bus = facts.stack.servicebus
        known = {**bus.receivable(), **bus.topics} if bus else {}
        found += undeclared("queue", at["queue"], known, ("at", "queue"))
        found += undeclared("service", at.get("by"), facts.services, ("at", "by"))
    return found


VERB = Verb(
    "crash",
    CrashArguments,
    "kill a service at an exact moment of its work",
    check=check_point,
    requires=("faults",),
    run=run,
)
