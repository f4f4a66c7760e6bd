"""The worker as a program: reads its settings, opens what it stands on, and consumes until it is asked to stop."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

from azure.servicebus import ServiceBusReceivedMessage

from services.intellioptics.worker.detector_directory import DetectorDirectory
from services.intellioptics.worker.handler import ImageQueryHandler
from services.intellioptics.worker.model import UnsupportedModelError, load_model
from services.intellioptics.worker.query_directory import QueryDirectory
from services.intellioptics.worker.settings import WorkerSettings
from services.shared.consumer import Consumer
from services.shared.download import Downloader
from services.shared.http_client import http_client
from services.shared.logs import configure_logs, get_logger
from services.shared.publisher import Publisher, namespace_of, servicebus_client
from services.shared.settings import exit_misconfigured, settings_or_exit
from services.shared.telemetry import start_telemetry
from services.shared.work import work

SERVICE = "intellioptics-worker"

log = get_logger()


async def run(settings: WorkerSettings) -> None:
    """Work until a signal asks to stop; what is in hand then is finished or abandoned."""
    async with AsyncExitStack() as stack:
        # One thread: one image is decoded and looked at at a time, however many are being downloaded.
        executor = stack.enter_context(ThreadPoolExecutor(1, thread_name_prefix="inference"))
        client = servicebus_client(settings.azure_servicebus_connection_string.get_secret_value())
        results = await stack.enter_async_context(Publisher(client, settings.results_queue))

        # The links are opened while the model is loaded.
        building = asyncio.create_task(_build_handler(settings, results, executor, stack))

        async def handle(message: ServiceBusReceivedMessage) -> str | None:
            return await (await building)(message)

        async def give_up(message: ServiceBusReceivedMessage, why: str) -> None:
            await (await building).give_up(message, why)

        consumer = Consumer(
            client,
            settings.image_queries_queue,
            handle,
            service=SERVICE,
            name="worker",
            concurrency=settings.worker_concurrency,
            abandon_delay=settings.abandon_delay_seconds,
            grace=settings.shutdown_grace_seconds,
            max_deliveries=settings.image_queries_max_deliveries,
            give_up=give_up,
        )

        async def announce() -> None:
            await _announce(settings, consumer, results, (await building).model.version)

        await work(consumer, announce())


async def _build_handler(
    settings: WorkerSettings, results: Publisher, executor: ThreadPoolExecutor, stack: AsyncExitStack
) -> ImageQueryHandler:
    loading = asyncio.get_running_loop().run_in_executor(executor, load_model, settings.model_path)
    authorization = {"authorization": f"Bearer {settings.api_token.get_secret_value()}"}
    api = http_client(settings.api_timeout_seconds, str(settings.api_url), authorization)
    storage = http_client(settings.download_timeout_seconds)
    await stack.enter_async_context(api)
    await stack.enter_async_context(storage)
    model = await loading
    log.info("worker.model_loaded", model_version=model.version, labels=len(model.detector.labels))
    return ImageQueryHandler(
        detectors=DetectorDirectory(api),
        queries=QueryDirectory(api),
        downloader=Downloader(storage, settings.max_image_bytes, settings.download_timeout_seconds),
        model=model,
        results=results,
        executor=executor,
        now=lambda: datetime.now(UTC),
        cutover=settings.cutover_at,
        presence_cutoff=settings.presence_cutoff,
        max_image_pixels=settings.max_image_pixels,
        remembered=timedelta(seconds=settings.results_remembered_seconds),
    )


async def _announce(settings: WorkerSettings, consumer: Consumer, results: Publisher, model_version: str) -> None:
    """Say ``worker.ready`` once messages can come in; the way out for results is opened as well, or with the first."""
    opening = asyncio.create_task(results.ready())
    await consumer.ready()
    await asyncio.wait({opening})
    if not opening.cancelled() and (error := opening.exception()) is not None:
        log.warning("worker.results_unreachable", queue=settings.results_queue, error=type(error).__name__)
    log.info(
        "worker.ready",
        queue=settings.image_queries_queue,
        results_queue=settings.results_queue,
        namespace=namespace_of(settings.azure_servicebus_connection_string.get_secret_value()),
        api_url=str(settings.api_url),
        concurrency=settings.worker_concurrency,
        model_version=model_version,
    )


def main() -> None:
    """Read the settings, or exit 78; then work."""
    settings = settings_or_exit(WorkerSettings, SERVICE)
    configure_logs(SERVICE, settings.log_level, secrets=(settings.api_token.get_secret_value(),))
    start_telemetry(SERVICE)
    try:
        asyncio.run(run(settings))
    except* UnsupportedModelError as group:
        exit_misconfigured(f"{SERVICE} cannot start: MODEL_PATH: {group.exceptions[0]}")
