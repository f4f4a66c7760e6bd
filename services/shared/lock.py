"""The lock of a message, kept alive while it is worked on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from azure.servicebus import ServiceBusReceivedMessage
from azure.servicebus.exceptions import ServiceBusError

from services.shared.logs import get_logger
from services.shared.waiting import set_within

log = get_logger()


class Renewer(Protocol):
    """What is needed of the SDK's receiver."""

    async def renew_message_lock(self, message: ServiceBusReceivedMessage) -> object: ...


@dataclass(frozen=True, slots=True)
class LockKeeper:
    """Renews locks every ``every`` seconds, or whenever half of one is gone; none for more than ``longest`` seconds.

    ``event`` and ``queue`` are told when a renewal fails.
    """

    event: str
    queue: str
    every: float | None
    longest: float

    @asynccontextmanager
    async def kept(self, receiver: Renewer, message: ServiceBusReceivedMessage) -> AsyncIterator[None]:
        """Keep the message's lock alive meanwhile."""
        done = asyncio.Event()
        renewal = asyncio.create_task(self._keep(receiver, message, done))
        try:
            yield
        finally:
            # Told, not cancelled: a renewal on the wire is let finish before the same link settles the message.
            done.set()
            await renewal

    async def _keep(self, receiver: Renewer, message: ServiceBusReceivedMessage, done: asyncio.Event) -> None:
        give_up_at = asyncio.get_running_loop().time() + self.longest
        while message.locked_until_utc is not None and asyncio.get_running_loop().time() < give_up_at:
            remaining = (message.locked_until_utc - datetime.now(UTC)).total_seconds()
            pause = remaining / 2 if self.every is None else min(self.every, remaining / 2)
            if await set_within(done, max(pause, 0.05)):
                return
            try:
                await receiver.renew_message_lock(message)
            except (ServiceBusError, OSError, TimeoutError, ValueError) as error:
                # whether the lock is lost by that is told when the message is settled
                log.warning(self.event, queue=self.queue, message_id=message.message_id, error=type(error).__name__)
                return
