"""The export worker as a program: reads its settings, opens what it stands on, and consumes until it is asked to stop."""

from __future__ import annotations

from contextlib import AsyncExitStack

from services.opal.export.billing import Billing
from services.opal.export.handler import ExportMessageHandler
from services.opal.export.progress import ROLE, ExportProgress
from services.opal.export.settings import ExportSettings
from services.shared.blobs import Blobs, blob_service
from services.shared.consumer import Consumer
from services.shared.database import connection_pool, database_name
from services.shared.http_client import http_client
from services.shared.logs import configure_logs, get_logger
from services.shared.program import run_worker, watch_queue
from services.shared.publisher import namespace_of, servicebus_client
from services.shared.settings import settings_or_exit
from services.shared.telemetry import start_telemetry
from services.shared.work import work

SERVICE = "opal-export"

log = get_logger()


async def run(settings: ExportSettings) -> None:
    """Work until a signal asks to stop; what is in hand then is finished or abandoned. Raises ``QueueMissingError``."""
    connection_string = settings.azure_servicebus_connection_string.get_secret_value()
    client, namespace = servicebus_client(connection_string), namespace_of(connection_string)
    storage = settings.azure_storage_connection_string.get_secret_value()
    async with AsyncExitStack() as stack:
        pool = connection_pool(settings.database_url.get_secret_value(), ROLE)
        await stack.enter_async_context(pool)
        outputs = await stack.enter_async_context(Blobs(blob_service(storage), settings.outputs_container))
        exports = await stack.enter_async_context(Blobs(blob_service(storage), settings.exports_container))
        headers = {"authorization": f"Bearer {settings.billing_token.get_secret_value()}"}
        http = http_client(settings.billing_timeout_seconds, str(settings.billing_url), headers)
        await stack.enter_async_context(http)
        handler = ExportMessageHandler(
            progress=ExportProgress(pool),
            billing=Billing(http),
            outputs=outputs,
            exports=exports,
            max_image_pixels=settings.max_image_pixels,
        )
        consumer = Consumer(
            client,
            settings.exports_queue,
            handler,
            service=SERVICE,
            name="worker",
            concurrency=settings.worker_concurrency,
            abandon_delay=settings.abandon_delay_seconds,
            grace=settings.shutdown_grace_seconds,
            max_attempts=settings.max_attempts,
        )

        async def announce() -> None:
            await consumer.ready()
            log.info(
                "worker.ready",
                queue=settings.exports_queue,
                namespace=namespace,
                database=database_name(settings.database_url.get_secret_value()),
                billing=str(settings.billing_url),
            )

        watching = watch_queue(client, settings.exports_queue, namespace=namespace, variable="EXPORTS_QUEUE")
        await work(consumer, announce(), watching)


def main() -> None:
    """Read the settings, or exit 78; then work."""
    settings = settings_or_exit(ExportSettings, SERVICE)
    configure_logs(SERVICE, settings.log_level, secrets=(settings.billing_token.get_secret_value(),))
    start_telemetry(SERVICE)
    run_worker(SERVICE, run(settings))
