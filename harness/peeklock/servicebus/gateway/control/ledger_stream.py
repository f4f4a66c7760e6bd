"""The ledger as it grows: one JSON object a line, for as long as somebody reads."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from peeklock.servicebus.ledger import Ledger, to_json

BATCH = 64
"""How many entries are rendered before everybody else has a turn."""


async def follow(ledger: Ledger, after: int, ended: asyncio.Future[Any]) -> AsyncIterator[bytes]:
    """Yield the entries numbered above `after`, a line each, then each new one as it comes, until `ended` is done.

    Nothing is kept for the reader: who reads too slowly for the ledger's caps gets a line
    `{"event": "lost", "lost": <how many>, "n": <the last one of them>}` in the place of what is gone.
    """
    while not ended.done():
        entries = ledger.entries(after, BATCH)
        if not entries:
            await _news(ledger, ended)
            continue
        for entry in entries:
            if (lost := entry.number - after - 1) > 0:
                yield _line({"event": "lost", "lost": lost, "n": entry.number - 1})
            after = entry.number
            yield _line(to_json(entry))
        await asyncio.sleep(0)


async def _news(ledger: Ledger, ended: asyncio.Future[Any]) -> None:
    news: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    forget = ledger.notify(lambda: None if news.done() else news.set_result(None))
    try:
        await asyncio.wait({news, ended}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        forget()


def _line(document: dict[str, Any]) -> bytes:
    return json.dumps(document).encode() + b"\n"
