"""A worker as a program: one that waits at a queue which does not exist would look idle, and is ended instead."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from azure.servicebus.aio import ServiceBusClient
from azure.servicebus.exceptions import ServiceBusError

from services.shared.logs import get_logger
from services.shared.queues import QueueMissingError, require_queue
from services.shared.settings import exit_misconfigured

log = get_logger()


async def watch_queue(client: ServiceBusClient, queue: str, *, namespace: str, variable: str) -> None:
    """Raise ``QueueMissingError`` when there is no such queue; one that does not answer is only told, for it may come back.

    Runs beside the consumer, which would wait for ever. ``variable`` is the setting that names the queue.
    """
    try:
        await require_queue(client, queue, namespace=namespace, variable=variable)
    except (ServiceBusError, OSError) as error:
        log.warning("worker.queue_unreachable", queue=queue, error=type(error).__name__)


def run_worker(service: str, work: Coroutine[Any, Any, None]) -> None:
    """Run ``work`` to its end. A queue that is missing is told in one line, with exit status 78."""
    try:
        asyncio.run(work)
    except* QueueMissingError as group:
        error = group.exceptions[0]
        assert isinstance(error, QueueMissingError)
        log.critical("worker.queue_missing", queue=error.queue, problem=str(error))
        exit_misconfigured(f"{service} cannot start: {error}")
