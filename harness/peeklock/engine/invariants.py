"""What must hold at the end of every case: the words of `always`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from peeklock.engine.context import CaseContext
from peeklock.engine.diagnosis import logged_errors
from peeklock.engine.effects import nothing_doubled, nothing_lost
from peeklock.engine.ledger import body_of, consumer_of
from peeklock.engine.settling import open_messages
from peeklock.engine.tracing import no_error_spans, trace_unbroken
from peeklock.engine.unanswered import outside_contracts
from peeklock.engine.waiting import Look, wait_until
from peeklock.errors import PeeklockError
from peeklock.redaction import RedactedError
from peeklock.scenario.matchers import show
from peeklock.scenario.matchers.schema import schema_errors
from peeklock.servicebus.paths import DEAD_LETTER_SUFFIX
from peeklock.stack.backend import LogLine

BY_LEDGER = (
    "nothing_lost", "nothing_doubled", "contracts_hold", "no_unexpected_consumers", "correlation_unbroken", "trace_unbroken",
)  # fmt: skip
"""Those that look at everything that ever happened to a message."""
STUCK_AFTER = 10.0
"""Seconds that messages in flight are given at the end of a case."""


def held(context: CaseContext) -> list[str]:
    """Return the invariants that a case is held to."""
    return [name for name in context.scenario.header.always if name not in context.case.header.allow]


def broken(context: CaseContext) -> list[str]:
    """Return a sentence for each invariant that does not hold, those that the case waives left out."""
    names = held(context)
    # messages in flight come to rest first, so that the others see the end of the story
    names.sort(key=lambda name: {"no_stuck_messages": 0, "nothing_lost": 1, "trace_unbroken": 2}.get(name, 3))
    return [f"{name}: {sentence}" for name in names for sentence in _check(name, context)]


def _check(name: str, context: CaseContext) -> list[str]:
    try:
        return CHECKS[name](context)
    except RedactedError:
        raise
    except PeeklockError as error:
        return [str(error)]


def no_stuck_messages(context: CaseContext) -> list[str]:
    """Every message that somebody consumes has been settled."""

    def look() -> Look[list[str]]:
        waiting = open_messages(context)
        return Look(not waiting, waiting, context.unexpected_exit())

    waited = wait_until(look, context.deadline.sooner(STUCK_AFTER), context.signal)
    context.spent.waiting += waited.seconds
    return [] if waited.good else waited.last[:5]


def no_dead_letters(context: CaseContext) -> list[str]:
    """No message was dead-lettered."""
    context.ledger.refresh()
    return [
        f"{message.queue} dead-lettered {message.facts.get('message_id')}: {message.reason}: {message.description}"
        for message in context.ledger.all()
        if message.outcome == "dead_lettered"
    ]


def no_error_logs(context: CaseContext) -> list[str]:
    """No service logged an error."""
    return logged_errors(_lines(context))[:5]


def _lines(context: CaseContext) -> list[LogLine]:
    """Return all that services have logged since the case began."""
    return context.environment.services.logs(context.log_cursor, late=True)[0]


def no_service_exit(context: CaseContext) -> list[str]:
    """No service ended by itself."""
    gone = context.unexpected_exit()
    return [gone] if gone else []


def contracts_hold(context: CaseContext) -> list[str]:
    """Every message on a queue with a `schema` is valid by it, and every request to a stand-in with a `contract` and its answer."""
    return (outside_contracts(context.environment) + _bodies_off_schema(context))[:5]


def _bodies_off_schema(context: CaseContext) -> list[str]:
    servicebus = context.scenario.header.stack.servicebus
    if not any(queue.message_schema for queue in (servicebus.receivable().values() if servicebus else ())):
        return []
    context.ledger.refresh()
    found: list[str] = []
    for name, queue in (servicebus.receivable() if servicebus else {}).items():
        if queue.message_schema is None:
            continue
        schema = json.loads(Path(queue.message_schema).read_text(encoding="utf-8"))
        for message in context.ledger.messages(name):
            for path, error in schema_errors(schema, body_of(message.facts))[:3]:
                found.append(f"{name}: {message.facts.get('message_id')}: {path or 'the body'}: {error}")
    return found


def no_unexpected_consumers(context: CaseContext) -> list[str]:
    """Only the declared `consumers` of a queue have asked it for messages, whether they got any or not."""
    servicebus = context.scenario.header.stack.servicebus
    context.ledger.refresh()
    asked = {each["name"]: set(map(consumer_of, each.get("consumers", ()))) for each in context.environment.queues()}
    return [
        f"{name} has the consumer {consumer}; declared: {', '.join(queue.consumers) or 'none'}"
        for name, queue in (servicebus.receivable() if servicebus else {}).items()
        if queue.consumers is not None
        for consumer in sorted((context.ledger.receivers(name) | asked.get(name, set())) - set(queue.consumers))
    ]


def correlation_unbroken(context: CaseContext) -> list[str]:
    """Every message that a service sends has a correlation id that came in by an earlier message or an HTTP request."""
    context.ledger.refresh()
    lines = _lines(context)
    known = {str(line.record["correlation_id"]) for line in lines if line.record and line.record.get("correlation_id")}
    known |= {str(message.facts.get("correlation_id")) for message in context.ledger.all() if not message.sender}
    return [
        f"{message.queue}: {message.facts.get('message_id')} from {message.sender} has the correlation id "
        f"{show(message.facts.get('correlation_id'))}, which nothing before it had"
        for message in context.ledger.all()
        if message.sender
        and not message.queue.endswith(DEAD_LETTER_SUFFIX)
        and str(message.facts.get("correlation_id")) not in known
    ][:5]


CHECKS: dict[str, Callable[[CaseContext], list[str]]] = {
    check.__name__: check
    for check in (
        no_stuck_messages,
        no_dead_letters,
        no_error_logs,
        no_service_exit,
        contracts_hold,
        no_unexpected_consumers,
        correlation_unbroken,
        trace_unbroken,
        no_error_spans,
        nothing_lost,
        nothing_doubled,
    )
}
