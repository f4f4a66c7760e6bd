"""`send: {queue: jobs, json: {…}}` — messages onto a queue, over AMQP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from peeklock import servicebus
from peeklock.engine.context import CaseContext
from peeklock.engine.failure import VerbFailed
from peeklock.engine.verb import Found, Verb
from peeklock.scenario.sending import SendArguments, outgoing
from peeklock.scenario.topology import ServiceBus
from peeklock.scenario.vocabulary import Complaint, Facts, undeclared


def run(arguments: SendArguments, context: CaseContext) -> Found:
    """Send and return `{count, message_ids}`."""
    return run_many([arguments], context)


def run_many(each: Sequence[SendArguments], context: CaseContext) -> Found:
    """Send them all in their order, on one link or in one batch, and return `{count, message_ids}`."""
    now = context.environment.clock.now
    messages = [message for one in each for message in outgoing(one, context.slug, now)]
    entity = str(each[0].queue or each[0].topic)
    try:
        called = context.environment.endpoints.queues.get(entity, entity)
        context.clients.servicebus.send(called, messages, batch=each[0].batch)
    except servicebus.ServiceBusError as error:
        raise VerbFailed(f"send to {entity}: {error}") from None
    context.note("test", f"send {len(messages)} to {entity}")
    return Found({"count": len(messages), "message_ids": [message.message_id for message in messages]})


def _check(raw: Any, facts: Facts) -> list[Complaint]:
    bus = facts.stack.servicebus or ServiceBus()
    if "topic" in raw:
        return undeclared("topic", raw["topic"], bus.topics, ("topic",))
    return undeclared("queue", raw.get("queue"), bus.queues, ("queue",))


VERB = Verb(
    "send",
    SendArguments,
    "messages onto a queue",
    check=_check,
    run=run,
    loads=("peeklock.servicebus",),
    run_many=run_many,
    in_load=True,
)
