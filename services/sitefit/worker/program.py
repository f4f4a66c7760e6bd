"""The worker as a program: reads its settings, opens what it stands on, and consumes until it is asked to stop."""

from __future__ import annotations

from contextlib import AsyncExitStack

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
from services.sitefit.contracts import ContractDirectory
from services.sitefit.worker.app_server import AppServer
from services.sitefit.worker.handler import JobHandler
from services.sitefit.worker.job_progress import ROLE, JobProgress
from services.sitefit.worker.settings import WorkerSettings

SERVICE = "sitefit-worker"

log = get_logger()


async def run(settings: WorkerSettings) -> None:
    """Work until a signal asks to stop; what is in hand then is finished or abandoned. Raises ``QueueMissingError``."""
    connection_string = settings.azure_servicebus_connection_string.get_secret_value()
    client = servicebus_client(connection_string)
    namespace = namespace_of(connection_string)
    async with AsyncExitStack() as stack:
        pool = connection_pool(settings.database_url.get_secret_value(), ROLE)
        await stack.enter_async_context(pool)
        blobs = Blobs(
            blob_service(settings.azure_storage_connection_string.get_secret_value()), settings.artifacts_container
        )
        await stack.enter_async_context(blobs)
        http = http_client(settings.job_timeout_sec, str(settings.app_server_url))
        await stack.enter_async_context(http)
        handler = JobHandler(
            progress=JobProgress(pool),
            app_server=AppServer(http, settings.job_timeout_sec),
            contracts=ContractDirectory(settings.contracts_dir),
            blobs=blobs,
        )
        consumer = Consumer(
            client,
            settings.sitefit_queue,
            handler,
            service=SERVICE,
            name="worker",
            concurrency=settings.worker_concurrency,
            abandon_delay=settings.abandon_delay_seconds,
            grace=settings.shutdown_grace_seconds,
            max_lock_renewal=settings.job_timeout_sec + 60,
            renew_every=settings.lock_renew_sec,
            poll=settings.poll_interval_sec,
            max_attempts=settings.max_attempts,
            give_up=handler.give_up,
        )

        # the queue is asked for beside the consumer, which would wait for ever for one that is not there
        await work(
            consumer,
            _announce(settings, consumer, namespace),
            watch_queue(client, settings.sitefit_queue, namespace=namespace, variable="SITEFIT_QUEUE"),
        )


async def _announce(settings: WorkerSettings, consumer: Consumer, namespace: str) -> None:
    """Say ``worker.ready`` once messages can come in."""
    await consumer.ready()
    log.info(
        "worker.ready",
        queue=settings.sitefit_queue,
        namespace=namespace,
        database=database_name(settings.database_url.get_secret_value()),
        app_server_url=str(settings.app_server_url),
        concurrency=settings.worker_concurrency,
    )


def main() -> None:
    """Read the settings, or exit 78; then work."""
    settings = settings_or_exit(WorkerSettings, SERVICE)
    configure_logs(SERVICE, settings.log_level)
    start_telemetry(SERVICE)
    run_worker(SERVICE, run(settings))
