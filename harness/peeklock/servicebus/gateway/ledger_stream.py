"""The ledger as it grows: one JSON object a line, for as long as somebody reads."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from peeklock.servicebus.ledger import Ledger, to_json

BATCH = 64
"""How many entries are rendered before everybody else has a turn."""


async def follow(
    ledger: Ledger, after: int, ended: asyncio.Future[Any], every: float = 0.0, *, content: bool = True
) -> AsyncIterator[bytes]:
    """Yield the entries numbered above `after`, a line each, then each new one as it comes, until `ended` is done.

    With `every`, new entries are gathered for so many seconds and come together; without `content` none tells the
    body and properties of its message. Both make following cheap for the broker.

    Nothing is kept for the reader: who reads too slowly for the ledger's caps gets a line
    `{"event": "lost", "lost": <how many>, "n": <the last one of them>}` in the place of what is gone.
    """
    while not ended.done():
        entries = ledger.entries(after, BATCH)
        if not entries:
            await _news(ledger, ended)
            if every > 0:
                await asyncio.wait({ended}, timeout=every)
            continue
        lines = []
        if (lost := entries[0].number - after - 1) > 0:
            lines.append(_line({"event": "lost", "lost": lost, "n": entries[0].number - 1}))
        lines += (_line(to_json(entry, content=content)) for entry in entries)
        after = entries[-1].number
        yield b"".join(lines)
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
