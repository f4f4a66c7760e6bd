"""`settle: {within: 20s}` — wait until every message has been dealt with."""

from __future__ import annotations

import time
from typing import Any

from pydantic import Field

from peeklock.engine.context import CaseContext
from peeklock.engine.failure import VerbFailed
from peeklock.engine.settling import awaited_queues, open_messages, worked_queues
from peeklock.engine.verb import Found, Verb
from peeklock.engine.waiting import Look, wait_until
from peeklock.scenario.durations import Duration
from peeklock.scenario.fields import Model
from peeklock.scenario.vocabulary import Complaint, Facts, undeclared

LAST_WORDS = 2.0
"""Seconds for which a receiver is waited that works on without a lock."""


class SettleArguments(Model):
    """How long it may take, and which queues: by default those that somebody consumes."""

    within: Duration | None = Field(None, gt=0, description="default: defaults.settle of the file, or of peeklock.yaml")
    queues: list[str] | None = None
    at_least: int = Field(0, ge=0, description="so many messages must have come to these queues")
    ignore_scheduled: bool = False


def run(arguments: SettleArguments, context: CaseContext) -> Found:
    """Return `{seconds}` when no message is active, locked or scheduled; fail with those that are."""

    def look() -> Look[list[str]]:
        queues = awaited_queues(context) if arguments.queues is None else arguments.queues
        waiting = open_messages(context, queues)
        if (came := sum(1 for queue in queues for _ in context.ledger.messages(queue))) < arguments.at_least:
            waiting.append(f"{came} of at least {arguments.at_least} messages have come")
        if arguments.ignore_scheduled:
            waiting = [text for text in waiting if not text.endswith(" is scheduled")]
        gone = "" if "no_service_exit" in context.case.header.allow or context.stopped else context.unexpected_exit()
        return Look(not waiting, waiting, gone)

    within = arguments.within or context.scenario.header.defaults.settle
    started = time.monotonic()
    waited = wait_until(look, context.deadline.sooner(within), context.signal)
    context.spent.waiting += time.monotonic() - started
    if not waited.good:
        raise VerbFailed(f"not settled: {waited.why}", notes=(*waited.last[:10], *_unattended(arguments, context)))
    _hear_out(context)
    return Found({"seconds": round(waited.seconds, 3)})


def _unattended(arguments: SettleArguments, context: CaseContext) -> list[str]:
    if arguments.queues is not None or worked_queues(context):
        return []
    return ["nobody has asked for messages in this case; `consumers: []` at a queue says that nobody will"]


def _hear_out(context: CaseContext) -> None:
    """Let whoever has lost the lock of a message that it works on come to its end: it may still send something.

    For a moment only: many clients never say that they have let go of such a message.
    """

    def look() -> Look[None]:
        receivers = [receiver for queue in context.environment.queues() for receiver in queue.get("receivers", ())]
        return Look(not any(receiver.get("in_hand") for receiver in receivers), None)

    waited = wait_until(look, context.deadline.sooner(LAST_WORDS), context.signal)
    context.spent.waiting += waited.seconds


def _check(raw: Any, facts: Facts) -> list[Complaint]:
    declared = facts.stack.servicebus.receivable() if facts.stack.servicebus else {}
    wanted = raw.get("queues") if isinstance(raw.get("queues"), list) else []
    return [c for index, name in enumerate(wanted) for c in undeclared("queue", name, declared, ("queues", index))]


VERB = Verb(
    "settle",
    SettleArguments,
    "wait until every message has been dealt with",
    shape="nothing",
    shorthand=lambda raw: {} if raw is None else ({"within": raw} if isinstance(raw, str) else raw),
    check=_check,
    run=run,
)
