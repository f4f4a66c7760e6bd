"""`queue: jobs` — what is in a queue now: counts and receivers."""

from __future__ import annotations

from typing import Any

from peeklock.engine.context import CaseContext
from peeklock.engine.failure import VerbFailed
from peeklock.engine.ledger import consumer_of, iso
from peeklock.engine.verb import Found, Verb
from peeklock.scenario.fields import Model
from peeklock.scenario.vocabulary import Complaint, Facts, undeclared


class QueueArguments(Model):
    """A queue, a topic, or a subscription by its path."""

    name: str


def run(arguments: QueueArguments, context: CaseContext) -> Found:
    """Return `{name, active, locked, scheduled, deferred, dead_letter, receivers, consumers}`; a receiver is `{link,
    container_id, client_id, connection, authorized_until}`, a consumer who has asked for messages in this case."""
    for queue in context.environment.queues():
        if queue["name"] == arguments.name:
            receivers = [_receiver(facts) for facts in queue.get("receivers", ())]
            consumers = sorted(set(map(consumer_of, queue.get("consumers", ()))))
            return Found({**queue, "receivers": receivers, "consumers": consumers})
    raise VerbFailed(f"the namespace has no queue {arguments.name!r}")


def _receiver(facts: dict[str, Any]) -> dict[str, Any]:
    until = facts.get("authorized_until")
    return facts if until is None else {**facts, "authorized_until": iso(until)}


def _check(raw: Any, facts: Facts) -> list[Complaint]:
    bus = facts.stack.servicebus
    return undeclared("queue", raw.get("name"), {**bus.receivable(), **bus.topics} if bus else {}, ("name",))


VERB = Verb(
    "queue",
    QueueArguments,
    "what is in a queue now",
    observes=lambda _: True,
    shorthand=lambda raw: {"name": raw} if isinstance(raw, str) else raw,
    check=_check,
    requires=("exact_ledger",),
    run=run,
)
