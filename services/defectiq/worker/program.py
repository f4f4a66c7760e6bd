"""The worker as a program: reads its settings, opens what it stands on, and consumes until it is asked to stop."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from functools import partial
from urllib.parse import urlsplit

import openai

from services.defectiq.azure import Azure
from services.defectiq.grants import ACCOUNT, BLOBS, RECEIVER, needs, preflight
from services.defectiq.worker.handler import DefectJobHandler
from services.defectiq.worker.inspector import Inspector
from services.defectiq.worker.settings import WorkerSettings
from services.shared.consumer import Consumer
from services.shared.logs import configure_logs, get_logger
from services.shared.queues import require_queue
from services.shared.settings import settings_or_exit
from services.shared.telemetry import start_telemetry
from services.shared.work import work

SERVICE = "defectiq-worker"

log = get_logger()


async def run(settings: WorkerSettings) -> None:
    """Work until a signal asks to stop, or as a job until the queue is empty."""
    async with AsyncExitStack() as stack:
        azure = Azure(settings, stack)
        raw = await azure.blobs(settings.azure_storage_raw_container)
        processed = await azure.blobs(settings.azure_storage_processed_container)
        client, queue = await azure.servicebus(), settings.azure_servicebus_queue
        handler = DefectJobHandler(
            raw=raw,
            raw_container=settings.azure_storage_raw_container,
            processed=processed,
            inspector=Inspector(await _client(settings, azure, stack), settings.deployment),
            max_image_pixels=settings.max_image_pixels,
        )
        consumer = Consumer(
            client,
            queue,
            handler,
            service=SERVICE,
            name="worker",
            concurrency=settings.worker_max_messages,
            abandon_delay=settings.abandon_delay_seconds,
            grace=settings.shutdown_grace_seconds,
            max_lock_renewal=(settings.openai_max_retries + 1) * (settings.openai_timeout_seconds + 120),
            max_attempts=settings.worker_max_delivery_attempts,
            until_idle=settings.worker_idle_seconds if settings.worker_mode == "job" else None,
        )
        named = {"namespace": azure.namespace, "variable": "AZURE_SERVICEBUS_QUEUE"}
        checks = {
            "queue": needs(RECEIVER, queue, partial(require_queue, client, queue, **named, receiving=True)),
            "raw": needs(BLOBS, ACCOUNT, raw.check),
            "processed": needs(BLOBS, ACCOUNT, processed.check),
        }
        await work(consumer, _announce(settings, consumer, azure.namespace), preflight("worker.preflight", checks))


async def _client(settings: WorkerSettings, azure: Azure, stack: AsyncExitStack) -> openai.AsyncAzureOpenAI:
    # A project's endpoint has the project in its path; the deployments are at its root.
    parts = urlsplit(str(settings.azure_ai_project_endpoint))
    endpoint, version = f"{parts.scheme}://{parts.netloc}", settings.azure_openai_api_version
    timeout, retries = settings.openai_timeout_seconds, settings.openai_max_retries
    if (key := settings.azure_ai_api_key) is not None:
        client = openai.AsyncAzureOpenAI(
            azure_endpoint=endpoint,
            api_version=version,
            api_key=key.get_secret_value(),
            timeout=timeout,
            max_retries=retries,
        )
    else:
        from azure.identity.aio import get_bearer_token_provider  # here: who uses a key need not load it

        client = openai.AsyncAzureOpenAI(
            azure_endpoint=endpoint,
            api_version=version,
            azure_ad_token_provider=get_bearer_token_provider(
                await azure.credential(), settings.azure_openai_token_scope
            ),
            timeout=timeout,
            max_retries=retries,
        )
    return await stack.enter_async_context(client)


async def _announce(settings: WorkerSettings, consumer: Consumer, namespace: str) -> None:
    """Say ``worker.ready`` once messages can come in."""
    await consumer.ready()
    log.info(
        "worker.ready",
        queue=settings.azure_servicebus_queue,
        namespace=namespace,
        endpoint=str(settings.azure_ai_project_endpoint),
        deployment=settings.deployment,
        max_messages=settings.worker_max_messages,
        mode=settings.worker_mode,
    )


def main() -> None:
    """Read the settings, or exit 78; then work."""
    settings = settings_or_exit(WorkerSettings, SERVICE)
    key = settings.azure_ai_api_key
    configure_logs(SERVICE, settings.log_level, secrets=(key.get_secret_value(),) if key else ())
    start_telemetry(SERVICE)
    asyncio.run(run(settings))
