"""Answers that go out piece by piece."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any, NamedTuple

from peeklock.scenario.http_standins import Chunk, HttpAnswer, SentEvent
from peeklock.servicebus.http import HttpReply


class Piece(NamedTuple):
    """A part of an answer, and how many seconds after the one before it."""

    content: bytes
    delay: float


def pieces_of(answer: HttpAnswer, resolved: Callable[[Any], Any]) -> list[Piece]:
    """Return what an answer sends, with every `${…}` looked up: all of it before the first piece goes out."""
    chunks = [Piece(_chunk(each, resolved), each.delay or 0.0) for each in answer.chunks or ()]
    return chunks + [Piece(_event(each, resolved), each.delay or 0.0) for each in answer.events or ()]


def streamed(reply: HttpReply, pieces: list[Piece], method: str) -> HttpReply:
    """Return a reply that sends the pieces; its `body` is all of them, for whoever judges it. HEAD gets none."""

    async def stream(gone: asyncio.Future[Any]) -> AsyncIterator[bytes]:
        for content, delay in pieces:
            if delay:
                await asyncio.wait({gone}, timeout=delay)
            if gone.done():
                return
            yield content

    whole = b"".join(each.content for each in pieces)
    return replace(reply, body=whole, stream=None if method == "HEAD" else stream)


def _chunk(chunk: Chunk, resolved: Callable[[Any], Any]) -> bytes:
    if chunk.text is not None:
        return str(resolved(chunk.text)).encode()
    return json.dumps(resolved(chunk.json_), ensure_ascii=False).encode() + b"\n"


def _event(event: SentEvent, resolved: Callable[[Any], Any]) -> bytes:
    data = resolved(event.data)
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    named = (("event", event.event), ("id", event.id))
    lines = [f"{name}: {' '.join(str(resolved(value)).split())}" for name, value in named if value is not None]
    lines += [f"data: {line}" for line in text.splitlines() or [""]]
    return ("\n".join(lines) + "\n\n").encode()
