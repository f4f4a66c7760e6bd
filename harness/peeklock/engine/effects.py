"""`nothing_lost` and `nothing_doubled`: what must hold whatever was done to the system, so that no case may waive them."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise
from typing import Any

from peeklock.engine.context import CaseContext
from peeklock.engine.ledger import HELD, Message
from peeklock.engine.settling import open_messages, worked_queues
from peeklock.engine.waiting import Look, wait_until
from peeklock.scenario.topology import Effect, Receivable
from peeklock.scenario.values import ValueInvalid, dig
from peeklock.servicebus.paths import DEAD_LETTER_SUFFIX

PATIENCE = 15.0
"""Seconds that messages in flight, and what comes of them, are given at the end of a case: a lock may have to end first."""
_SHOWN = 5


def nothing_lost(context: CaseContext) -> list[str]:
    """Every message that a queue took and somebody consumes ends completed, with its effect, or dead-lettered with a reason;
    and the queues hold all that they should."""

    def look() -> Look[list[str]]:
        waiting = open_messages(context)
        lost = waiting or _lost(context)
        return Look(not lost, lost, context.unexpected_exit())

    waited = wait_until(look, context.deadline.sooner(PATIENCE), context.signal)
    context.spent.waiting += waited.seconds
    return [] if waited.good else waited.last[:_SHOWN]


def nothing_doubled(context: CaseContext) -> list[str]:
    """No service's message stands in a queue twice under one id, and what a message is to bring about was done once."""
    context.ledger.refresh()
    sent: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for message in context.ledger.all():
        if message.sender and message.facts.get("message_id") and _stands(message):
            sent[message.queue, message.sender, str(message.facts["message_id"])].append(message.enqueued_at)
    found = [
        f"{queue}: {message_id} was taken {count} times from {sender}"
        for (queue, sender, message_id), times in sent.items()
        if (count := _within(_window(queue, context), times)) > 1
    ]
    for name, effect in _effects(context):
        found += [
            f"{name}: {identity} had its effect {count} times"
            for identity, count in Counter(_done(effect, context)).items()
            if count > 1
        ]
    return found[:_SHOWN]


def _window(queue: str, context: CaseContext) -> float | None:
    """Return the seconds within which an entity knows an id again: a later one is meant to be taken."""
    servicebus = context.scenario.header.stack.servicebus
    if servicebus is None:
        return None
    if queue in servicebus.queues:
        return servicebus.queues[queue].duplicate_detection_window
    topic = servicebus.topics.get(queue.partition("/")[0])
    return None if topic is None else topic.duplicate_detection_window


def _within(window: float | None, times: list[float]) -> int:
    """Return how many there are, those left out that came a whole window after the one before."""
    if window is None:
        return len(times)
    times.sort()
    return 1 + sum(later - earlier < window for earlier, later in pairwise(times))


def _lost(context: CaseContext) -> list[str]:
    found: list[str] = []
    for queue in worked_queues(context):
        for message in context.ledger.messages(queue):
            name = f"{queue}: {message.facts.get('message_id')}"
            if message.outcome in ("expired", "deferred"):
                found.append(f"{name} is {message.outcome}: nobody has dealt with it")
            elif message.outcome == "dead_lettered" and not message.reason:
                found.append(f"{name} was dead-lettered without a reason")
    for queue, effect in _effects(context):
        done = set(_done(effect, context))
        completed = [message for message in context.ledger.messages(queue) if message.outcome == "completed"]
        found += [
            f"{queue}: {identity} was completed without its effect"
            for message in completed
            if (identity := _identity(message, effect)) not in done
        ]
    return found + _missing(context)


def _missing(context: CaseContext) -> list[str]:
    """Return the queues that hold fewer messages than the ledger tells of: a broker that has forgotten some."""
    found = []
    for facts in context.environment.queues():
        if "active" not in facts:
            continue
        held = sum(facts[state] for state in ("active", "locked", "scheduled", "deferred"))
        told = sum(message.outcome in HELD for message in context.ledger.messages(facts["name"]))
        if held < told:
            found.append(f"{facts['name']} holds {held} messages, the ledger tells of {told}")
    return found


SHORTEST_QUERY = 5.0
"""Seconds that the query of an effect has, although its case may have used up its own."""


def _effects(context: CaseContext) -> list[tuple[str, Effect]]:
    servicebus = context.scenario.header.stack.servicebus
    declared: dict[str, Receivable] = servicebus.receivable() if servicebus else {}
    return [(name, queue.effect) for name, queue in declared.items() if queue.effect is not None]


def _done(effect: Effect, context: CaseContext) -> list[Any]:
    """Return the id of each effect that there is."""
    if effect.queue is not None:
        messages = [message for message in context.ledger.messages(effect.queue) if _stands(message)]
        return [_identity(message, effect) for message in messages]
    from peeklock.engine import database  # psycopg: 0.15 s

    seconds = max(context.deadline.left, SHORTEST_QUERY)
    rows = database.query(context.clients.loop, context.clients.postgres_url, str(effect.query), None, seconds)
    return [next(iter(row.values())) for row in rows]


def _identity(message: Message, effect: Effect) -> Any:
    try:
        return dig(message.view(), f".{effect.id}")
    except ValueInvalid:
        return f"message {message.sequence}, which has no {effect.id}"


def _stands(message: Message) -> bool:
    """Tell whether a queue took it as a message of its own."""
    return message.outcome != "dropped_as_duplicate" and not message.queue.endswith(DEAD_LETTER_SUFFIX)
