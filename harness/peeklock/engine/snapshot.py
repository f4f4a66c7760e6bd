"""What a case has left behind: rows, blobs, messages, and requests to stand-ins that may not be made twice.

Costs 0.15 s to import (psycopg): only who compares ends does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from peeklock.engine import database
from peeklock.engine.context import CaseContext
from peeklock.engine.ledger import Message
from peeklock.scenario.topology import Queue, Receivable, ServiceBus

SECONDS = 10.0
"""That each look may take."""
_NOT_REPEATED = frozenset({"POST", "PATCH"})
_KEYS = ("idempotency-key", "x-idempotency-key", "x-request-id", "x-ms-client-request-id")
_TOLD = (
    "message_id", "outcome", "body", "subject", "correlation_id", "session_id", "reply_to", "to", "content_type",
    "dead_letter_reason", "application_properties",
)  # fmt: skip
"""What of a message is part of the end; how often it was delivered, and to whom, is the way."""


@dataclass(frozen=True)
class Fact:
    """One thing that is there."""

    place: str
    """`table jobs`, `container images`, `queue jobs`, `stand-in billing`."""
    value: Any
    """As JSON has it."""
    at_least_once: bool = False
    """Whether more of the same mean nothing: a message that was sent again to a consumer that must bear it."""


def snapshot(context: CaseContext) -> list[Fact]:
    """Return what is there now. Raises `PeeklockError`."""
    return [*_rows(context), *_blobs(context), *_messages(context), *_requests(context)]


def _rows(context: CaseContext) -> Iterator[Fact]:
    if context.scenario.header.stack.postgres is None:
        return

    def query(sql: str) -> list[dict[str, Any]]:
        return database.query(context.clients.loop, context.clients.postgres_url, sql, None, SECONDS)

    tables = query(
        "SELECT CASE schemaname WHEN 'public' THEN tablename ELSE schemaname || '.' || tablename END AS name, "
        "format('%I.%I', schemaname, tablename) AS quoted "
        "FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1"
    )
    parts = [
        f"SELECT {number} AS place, to_jsonb(t) AS value FROM {table['quoted']} AS t"  # noqa: S608  quoted by the server
        for number, table in enumerate(tables)
    ]
    for row in query(" UNION ALL ".join(parts)) if parts else ():
        yield Fact(f"table {tables[row['place']]['name']}", row["value"])


def _blobs(context: CaseContext) -> Iterator[Fact]:
    blobs = context.scenario.header.stack.blobs
    for container in blobs.containers if blobs is not None else ():
        for each in context.clients.blobs.list(container, "", SECONDS):
            content = context.clients.blobs.get(container, each["name"], SECONDS)
            told = content.get("json", content.get("sha256"))
            yield Fact(f"container {container}", {"name": each["name"], "content": told})


def _messages(context: CaseContext) -> Iterator[Fact]:
    context.ledger.refresh()
    bus = context.scenario.header.stack.servicebus or ServiceBus()
    receivable = bus.receivable()
    for message in context.ledger.all():
        if message.outcome != "dropped_as_duplicate":
            again = _bears_repetition(message.queue, receivable.get(message.queue), context)
            yield Fact(f"queue {message.queue}", _told(message), again)


def _told(message: Message) -> dict[str, Any]:
    view = message.view()
    return {key: view[key] for key in _TOLD if view.get(key) is not None}


def _bears_repetition(name: str, queue: Receivable | None, context: CaseContext) -> bool:
    """Tell whether a message may come to a queue more than once: a service receives it, and nobody promises that it comes once."""
    if queue is None or (isinstance(queue, Queue) and queue.duplicate_detection_window is not None):
        return False
    if queue.consumers is not None:
        return bool(queue.consumers)
    return not context.ledger.receivers(name).isdisjoint(context.scenario.header.services)


def _requests(context: CaseContext) -> Iterator[Fact]:
    stack = context.scenario.header.stack
    # a model that is asked again changes nothing
    for name in stack.http.keys() - {*(stack.azure_ml or ())}:
        for entry in context.environment.standins[name].journal.entries():
            view = entry.view
            if view.get("method") not in _NOT_REPEATED or not 200 <= view.get("status", 0) < 400:
                continue
            keys = {key: value for key, value in (view.get("headers") or {}).items() if key.lower() in _KEYS}
            value = {"method": view["method"], "path": view.get("path"), "body": view.get("body"), **keys}
            yield Fact(f"stand-in {name}", value, at_least_once=bool(keys))
