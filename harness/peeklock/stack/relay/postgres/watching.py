"""Bytes of a connection to Postgres go on while they are read, and wait at a commit for as long as a fault says."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Protocol

from peeklock.stack.faults import Way
from peeklock.stack.relay.postgres.conversation import Conversation, Part

_CHUNK = 64 * 1024


class Carrier(Protocol):
    """The connection that is read."""

    from_client: asyncio.StreamReader
    from_target: asyncio.StreamReader

    @property
    def faults(self) -> Sequence[object]:
        """Those that are on."""

    async def put(self, way: Way, data: bytes | None) -> None:
        """Send bytes on one way; None ends that way."""

    async def commit(self, changes: Sequence[str], *, done: bool) -> None:
        """Let faults have their way with a commit; what tells of it goes on when this returns."""


async def watch(carrier: Carrier, conversation: Conversation) -> None:
    """Carry bytes both ways until each end has closed."""
    await asyncio.gather(
        _carry(carrier, "requests", carrier.from_client, conversation.requests),
        _carry(carrier, "answers", carrier.from_target, conversation.answers),
    )


async def _carry(carrier: Carrier, way: Way, reader: asyncio.StreamReader, read: Callable[[bytes], list[Part]]) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(_CHUNK):
            waiting = b""  # goes on in one piece where nobody stops it
            for part, met in read(data):
                if met and carrier.faults:
                    await carrier.put(way, waiting)
                    waiting = b""
                    for transaction in met:
                        await carrier.commit(transaction.changes, done=way == "answers")
                waiting += part
            await carrier.put(way, waiting)
    await carrier.put(way, None)
