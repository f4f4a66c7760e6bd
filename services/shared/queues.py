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


async def require_queue(
    client: ServiceBusClient, queue: str, *, namespace: str, variable: str, receiving: bool = False
) -> None:
    """Raise :class:`QueueMissingError` when ``queue`` is not there; ``variable`` is the setting that names it.

    What is opened is a link to send over, or with ``receiving`` to receive over; no message is asked for. Other errors
    of the SDK come through: they tell nothing about whether the queue is there.
    """
    link = client.get_queue_receiver(queue) if receiving else client.get_queue_sender(queue)
    try:
        await link.__aenter__()
    except ServiceBusError as error:
        if not is_missing(error):
            raise
        raise QueueMissingError(queue, namespace, variable) from error
    finally:
        # Nothing is in flight, so the farewell may be cut short.
        with suppress(ServiceBusError, OSError, TimeoutError):
            async with asyncio.timeout(0.3):
                await link.close()


def is_missing(error: BaseException | None) -> bool:
    """Return whether the SDK's ``error`` says that there is no such queue."""
    if isinstance(error, ServiceBusAuthenticationError):
        # The SDK hears of it as it shows its token, and calls that a failed authentication.
        return getattr(error.inner_exception, "status_code", None) == _NOT_FOUND
    return isinstance(error, MessagingEntityNotFoundError)
