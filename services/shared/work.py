"""A worker's life: it consumes until a signal asks it to stop."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any

from services.shared.consumer import Consumer
from services.shared.logs import get_logger
from services.shared.telemetry import stop_telemetry

log = get_logger()


async def work(consumer: Consumer, *beside: Coroutine[Any, Any, None]) -> None:
    """Consume until SIGTERM or SIGINT; what is in hand then is finished or abandoned.

    What is done ``beside`` ends with it; when one of those fails, all of it does, with an ``ExceptionGroup``.
    """

    def stop(number: int) -> None:
        log.info("worker.stopping", signal=signal.Signals(number).name)
        consumer.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop, number)
    try:
        async with asyncio.TaskGroup() as tasks:
            consuming = tasks.create_task(consumer.run())
            others = [tasks.create_task(each) for each in beside]
            await consuming
            for other in others:
                other.cancel()
    finally:
        await asyncio.to_thread(stop_telemetry)
    log.info("worker.stopped")
