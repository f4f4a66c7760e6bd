"""Whether a queue is there and lets one in, asked before the work begins: else it would look like one that is empty."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from azure.servicebus.aio import ServiceBusClient
from azure.servicebus.exceptions import MessagingEntityNotFoundError, ServiceBusAuthenticationError, ServiceBusError

_NOT_FOUND = 404


class QueueMissingError(Exception):
    """The namespace has no such queue: a mistake in the settings, which waiting does not mend."""

    def __init__(self, queue: str, namespace: str, variable: str) -> None:
        super().__init__(f"there is no queue {queue!r} in {namespace}: create it, or correct {variable}")
        self.queue = queue


async def require_queue(client: ServiceBusClient, queue: str, *, namespace: str, variable: str) -> None:
    """Raise :class:`QueueMissingError` when ``queue`` is not there; ``variable`` is the setting that names it.

    Other errors of the SDK come through: they tell nothing about the queue.
    """
    sender = client.get_queue_sender(queue)
    try:
        await sender.__aenter__()
    except (MessagingEntityNotFoundError, ServiceBusAuthenticationError) as error:
        # The SDK hears of it as it shows its token, and calls that a failed authentication.
        if isinstance(error, ServiceBusAuthenticationError) and _status(error) != _NOT_FOUND:
            raise
        raise QueueMissingError(queue, namespace, variable) from error
    finally:
        # Nothing is in flight, so the farewell may be cut short.
        with suppress(ServiceBusError, OSError, TimeoutError):
            async with asyncio.timeout(0.3):
                await sender.close()


async def check_receiver(client: ServiceBusClient, queue: str) -> None:
    """Raise unless a receiver on ``queue`` can be opened; no message is asked for."""
    receiver = client.get_queue_receiver(queue)
    try:
        await receiver.__aenter__()
    finally:
        with suppress(ServiceBusError, OSError, TimeoutError):
            async with asyncio.timeout(0.3):
                await receiver.close()


def _status(error: ServiceBusAuthenticationError) -> int | None:
    """Return the status that the token was answered with."""
    status = getattr(error.inner_exception, "status_code", None)
    return status if isinstance(status, int) else None
