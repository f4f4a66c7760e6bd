"""The orchestrator as a program: reads its settings, opens what it stands on, and consumes until it is asked to stop."""

from __future__ import annotations

from contextlib import AsyncExitStack
from datetime import timedelta

from services.opal.orchestrator.endpoint import ScoringEndpoint
from services.opal.orchestrator.handler import JobMessageHandler
from services.opal.orchestrator.progress import ROLE, ItemProgress
from services.opal.orchestrator.settings import OrchestratorSettings
from services.opal.orchestrator.upload import Uploader
from services.shared.blobs import Blobs, blob_service
from services.shared.consumer import Consumer
from services.shared.database import connection_pool, database_name
from services.shared.http_client import http_client
from services.shared.logs import configure_logs, get_logger
from services.shared.program import run_worker, watch_queue
from services.shared.publisher import Publisher, namespace_of, servicebus_client
from services.shared.settings import settings_or_exit
from services.shared.telemetry import start_telemetry
from services.shared.work import work

SERVICE = "opal-orchestrator"

log = get_logger()


async def run(settings: OrchestratorSettings) -> None:
    """Work until a signal asks to stop; what is in hand then is finished or abandoned. Raises ``QueueMissingError``."""
    connection_string = settings.azure_servicebus_connection_string.get_secret_value()
    client, namespace = servicebus_client(connection_string), namespace_of(connection_string)
    storage = settings.azure_storage_connection_string.get_secret_value()
    async with AsyncExitStack() as stack:
        pool = connection_pool(settings.database_url.get_secret_value(), ROLE)
        await stack.enter_async_context(pool)
        uploads = await stack.enter_async_context(Blobs(blob_service(storage), settings.uploads_container))
        outputs = await stack.enter_async_context(Blobs(blob_service(storage), settings.outputs_container))
        exports = await stack.enter_async_context(Publisher(client, settings.exports_queue))
        headers = {"authorization": f"Bearer {settings.aml_key.get_secret_value()}"}
        if settings.aml_deployment is not None:
            headers["azureml-model-deployment"] = settings.aml_deployment
        aml = http_client(settings.aml_timeout_seconds, str(settings.aml_endpoint_url), headers)
        await stack.enter_async_context(aml)
        http = await stack.enter_async_context(http_client(10.0))
        handler = JobMessageHandler(
            progress=ItemProgress(pool),
            endpoint=ScoringEndpoint(aml, settings.aml_timeout_seconds, settings.max_image_pixels),
            uploader=Uploader(
                http, settings.upload_attempts, settings.upload_pause_seconds, settings.upload_pause_max_seconds
            ),
            uploads=uploads,
            outputs=outputs,
            exports=exports,
            url_lifetime=timedelta(seconds=settings.input_url_lifetime_seconds),
        )
        consumer = Consumer(
            client,
            settings.jobs_queue,
            handler,
            service=SERVICE,
            name="worker",
            concurrency=settings.worker_concurrency,
            abandon_delay=settings.abandon_delay_seconds,
            grace=settings.shutdown_grace_seconds,
            max_lock_renewal=settings.aml_timeout_seconds + 120,
            max_attempts=settings.max_attempts,
            give_up=handler.give_up,
        )

        async def announce() -> None:
            await consumer.ready()
            log.info(
                "worker.ready",
                queue=settings.jobs_queue,
                namespace=namespace,
                database=database_name(settings.database_url.get_secret_value()),
                endpoint=str(settings.aml_endpoint_url),
                deployment=settings.aml_deployment,
            )

        watching = watch_queue(client, settings.jobs_queue, namespace=namespace, variable="JOBS_QUEUE")
        await work(consumer, announce(), watching)


def main() -> None:
    """Read the settings, or exit 78; then work."""
    settings = settings_or_exit(OrchestratorSettings, SERVICE)
    configure_logs(SERVICE, settings.log_level, secrets=(settings.aml_key.get_secret_value(),))
    start_telemetry(SERVICE)
    run_worker(SERVICE, run(settings))
