"""Whether the messages of a case have come to rest."""

from __future__ import annotations

from peeklock.engine.context import CaseContext

QUIET = 2.0
"""Seconds without any log line or ledger entry after which an idle system counts as settled."""


def worked_queues(context: CaseContext) -> list[str]:
    """Return the queues that somebody empties: declared consumers, a receiver now, or one during this case."""
    servicebus = context.scenario.header.stack.servicebus
    if servicebus is None:
        return []
    attached = {queue["name"] for queue in context.environment.queues() if queue.get("receivers")}
    return [
        name
        for name, queue in servicebus.receivable().items()
        if (queue.consumers if queue.consumers is not None else name in attached or context.ledger.receivers(name))
    ]


def awaited_queues(context: CaseContext) -> list[str]:
    """Return the queues that somebody empties; while nobody has come for any, those that somebody may still come for."""
    servicebus = context.scenario.header.stack.servicebus
    if servicebus is None or (worked := worked_queues(context)):
        return [] if servicebus is None else worked
    return [name for name, queue in servicebus.receivable().items() if queue.consumers is None]


def open_messages(context: CaseContext, queues: list[str] | None = None) -> list[str]:
    """Return, for each message that is not done with yet, a phrase that names it."""
    context.ledger.refresh()
    return [
        f"{message.queue}: {message.facts.get('message_id')} is {message.outcome}"
        for queue in (worked_queues(context) if queues is None else queues)
        for message in context.ledger.open(queue)
    ]


def settled(context: CaseContext) -> bool:
    """Return whether the case has had messages, all are done with, and nothing has stirred for a while."""
    quiet = context.signal.quiet_for >= QUIET
    return quiet and bool(context.ledger.all()) and not context.stopped and not open_messages(context)
