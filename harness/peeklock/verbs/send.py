"""`send: {queue: jobs, json: {…}}` — messages onto a queue, over AMQP."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from pydantic import Field, model_validator

from peeklock import servicebus
from peeklock.engine.context import CaseContext
from peeklock.engine.failure import VerbFailed
from peeklock.engine.verb import Found, Verb
from peeklock.scenario.durations import Duration
from peeklock.scenario.topology import FilePath, Model, ServiceBus
from peeklock.scenario.vocabulary import Complaint, Facts, undeclared


class SendArguments(Model):
    """A message, or `times` of them."""

    queue: str | None = None
    topic: str | None = None
    json_: Any = Field(None, alias="json")
    text: str | None = None
    file: FilePath | None = None
    message_id: str | None = None
    correlation_id: str | None = Field(None, description="default: the case's own")
    session_id: str | None = None
    subject: str | None = None
    content_type: str | None = None
    reply_to: str | None = None
    to: str | None = None
    time_to_live: Duration | None = Field(None, gt=0)
    properties: dict[str, str | int | float | bool | None] = Field({}, description="application properties")
    scheduled_in: Duration | None = Field(None, ge=0)
    times: int = Field(1, ge=1, le=100_000, description="`${…}` is looked up anew each time, `${index}` counts from 0")
    batch: bool = Field(False, description="send all of `times` in one batch")

    @model_validator(mode="after")
    def _one_body(self) -> SendArguments:
        if (self.queue is None) == (self.topic is None):
            raise ValueError("say exactly one of queue or topic")
        if sum(body is not None for body in (self.json_, self.text, self.file)) > 1:
            raise ValueError("a message has one body: say one of json, text or file")
        return self


def run(arguments: SendArguments, context: CaseContext) -> Found:
    """Send and return `{count, message_ids}`."""
    return run_many([arguments], context)


def run_many(each: Sequence[SendArguments], context: CaseContext) -> Found:
    """Send them all in their order, on one link or in one batch, and return `{count, message_ids}`."""
    messages = [_outgoing(one, context) for one in each]
    entity = str(each[0].queue or each[0].topic)
    try:
        context.clients.servicebus.send(entity, messages, batch=each[0].batch)
    except servicebus.ServiceBusError as error:
        raise VerbFailed(f"send to {entity}: {error}") from None
    context.note("test", f"send {len(messages)} to {entity}")
    return Found({"count": len(messages), "message_ids": [message.message_id for message in messages]})


def _outgoing(arguments: SendArguments, context: CaseContext) -> servicebus.OutgoingMessage:
    if arguments.file is not None:
        body = arguments.file.read_bytes()
    elif arguments.text is not None:
        body = arguments.text.encode()
    else:
        body = b"" if arguments.json_ is None else json.dumps(arguments.json_, ensure_ascii=False).encode()
    scheduled = None
    if arguments.scheduled_in is not None:
        scheduled = context.environment.clock.now() + timedelta(seconds=arguments.scheduled_in)
    correlation = arguments.correlation_id or context.slug
    return servicebus.OutgoingMessage(
        body=body,
        message_id=arguments.message_id,
        correlation_id=correlation,
        session_id=arguments.session_id,
        subject=arguments.subject,
        content_type=arguments.content_type or ("application/json" if arguments.json_ is not None else None),
        reply_to=arguments.reply_to,
        to=arguments.to,
        time_to_live=arguments.time_to_live,
        application_properties={"correlation_id": correlation, **arguments.properties},
        scheduled_enqueue_time=scheduled,
    )


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
)
