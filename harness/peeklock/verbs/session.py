"""`session: {queue: jobs, id: customer-7}` — the state and the lock of a message session, without taking it."""

from __future__ import annotations

import base64
from typing import Any

from peeklock.engine.context import CaseContext
from peeklock.engine.ledger import decode_body, iso
from peeklock.engine.verb import Found, Verb
from peeklock.scenario.fields import Model
from peeklock.scenario.vocabulary import Complaint, Facts, undeclared


class SessionArguments(Model):
    """One session of a queue, or of a subscription by its path."""

    queue: str
    id: str


def run(arguments: SessionArguments, context: CaseContext) -> Found:
    """Return `{id, exists, state, locked, locked_until, holder, in_hand}`; keys without a value are absent.

    `state` is JSON where it is JSON, text where it is text; `holder` is a receiver as `queue` tells of it; `in_hand` counts the
    messages that it has.
    """
    told = context.environment.session(arguments.queue, arguments.id)
    raw, until = told.pop("state_base64", None), told.pop("locked_until", None)
    found = {key: value for key, value in told.items() if value is not None}
    if raw is not None:
        found["state"] = decode_body(base64.b64decode(raw))
    if until is not None:
        found["locked_until"] = iso(until)
    return Found(found)


def _check(raw: Any, facts: Facts) -> list[Complaint]:
    queues = facts.stack.servicebus.receivable() if facts.stack.servicebus else {}
    name = raw.get("queue")
    if isinstance(name, str) and name in queues and not queues[name].requires_session:
        return [Complaint(("queue",), f'"{name}" has no sessions', fix="declare it with requires_session: true")]
    return undeclared("queue", name, queues, ("queue",))


VERB = Verb(
    "session",
    SessionArguments,
    "the state and the lock of a session",
    observes=lambda _: True,
    check=_check,
    run=run,
    requires=("exact_ledger",),
)
