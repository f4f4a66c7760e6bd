"""What is asked about the inside of one namespace: entities, ledger, sessions, faults, purge.

The control API has it below `/namespaces/{name}`; a namespace's own port below `/$peeklock`, for who may manage it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from peeklock.errors import PeeklockError
from peeklock.servicebus.gateway.administration import Administration
from peeklock.servicebus.ledger import Ledger, to_json

from .ledger_stream import follow

MAX_WAIT = 60.0
DEFAULT_LIMIT = 10_000


class Refused(PeeklockError):
    """An HTTP error: status, what happened, and how to fix it."""

    def __init__(self, status: int, problem: str, fix: str = "") -> None:
        super().__init__(problem, fix=fix)
        self.status = status


@dataclass(frozen=True, slots=True)
class LedgerFeed:
    """The answer that does not end: a namespace's ledger, from an entry on, until `ended` or its reader has gone."""

    ledger: Ledger
    after: int
    ended: asyncio.Future[Any] | None
    every: float
    content: bool

    async def lines(self, gone: asyncio.Future[Any]) -> AsyncIterator[bytes]:
        """Yield lines, several at a time."""
        ends: set[asyncio.Future[Any]] = {gone} if self.ended is None else {gone, self.ended}
        ended = asyncio.ensure_future(asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED))
        try:
            async for lines in follow(self.ledger, self.after, ended, self.every, content=self.content):
                yield lines
        finally:
            ended.cancel()


async def answer(
    administration: Administration,
    method: str,
    parts: list[str],
    query: dict[str, list[str]],
    document: Any,
    ended: asyncio.Future[Any] | None = None,
) -> tuple[int, Any] | None:
    """Return a status and a JSON value or a `LedgerFeed`; None for what there is not. Raises `Refused`, `BrokerError`."""
    match [method, *parts]:
        case ["GET", "ledger"]:
            ledger = administration.context.namespace.ledger
            if query.get("follow", [""])[0] == "true":
                after, every = int(number(query, "after", 0.0)), min(number(query, "every", 0.0), MAX_WAIT)
                content = query.get("content", ["true"])[0] != "false"
                return 200, LedgerFeed(ledger, after, ended, every, content)
            if "message_id" in query:
                return 200, {"entries": [to_json(entry) for entry in ledger.about(query["message_id"][0])]}
            return 200, await _entries(ledger, query)
        case ["GET", "entities"]:
            cursor = administration.context.namespace.ledger.cursor
            return 200, {"queues": administration.queues(), "topics": administration.topics(), "cursor": cursor}
        case ["GET", "session"]:
            return 200, administration.session(query.get("entity", [""])[0], query.get("id", [""])[0])
        case ["POST", "faults"]:
            entry = administration.faults().begin(document)
            return 200, {"id": entry.id, "struck": entry.struck}
        case ["GET", "faults"]:
            return 200, {"faults": administration.faults().listing()}
        case ["DELETE", "faults"]:
            administration.faults().clear()
            return 204, None
        case ["DELETE", "faults", fault]:
            administration.faults().end(fault)
            return 204, None
        case ["POST", "queues", *queue, "purge"] if queue:
            return 200, {"purged": administration.purge("/".join(queue))}
    return None


async def _entries(ledger: Ledger, query: dict[str, list[str]]) -> dict[str, Any]:
    after = int(number(query, "after", 0.0))
    wait = min(number(query, "wait", 0.0), MAX_WAIT)
    limit = int(number(query, "limit", DEFAULT_LIMIT))
    if ledger.cursor <= after and wait > 0:
        woken = asyncio.Event()
        forget = ledger.notify(woken.set)
        try:
            await asyncio.wait_for(woken.wait(), wait)
        except TimeoutError:
            pass
        finally:
            forget()
    entries = ledger.entries(after, limit)
    cursor = entries[-1].number if entries else max(after, ledger.cursor)
    return {"entries": [to_json(entry) for entry in entries], "cursor": cursor, "dropped": ledger.dropped}


def number(query: dict[str, list[str]], name: str, default: float) -> float:
    """Return a number of the query. Raises `Refused`."""
    text = query.get(name, [str(default)])[0]
    try:
        value = float(text)
    except ValueError:
        raise Refused(400, f"{name}={text!r} is no number", f"write {name}=0") from None
    if not 0 <= value < 1e18:
        raise Refused(400, f"{name}={text!r} is out of range", f"write {name}=0")
    return value
