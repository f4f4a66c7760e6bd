"""Puts the API together: what it stands on, its routes, and how it starts and stops."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

from azure.servicebus.exceptions import ServiceBusError
from fastapi import FastAPI

from services.shared.blobs import Blobs, blob_service
from services.shared.database import check_database, connection_pool, database_name
from services.shared.health import Check, health_routes
from services.shared.http import BodyLimit, RequestLog, answer_when_database_is_away
from services.shared.logs import get_logger
from services.shared.publisher import Publisher, namespace_of, servicebus_client
from services.shared.queues import QueueMissingError, require_queue
from services.sitefit.api import jobs
from services.sitefit.api.job_store import ROLE, JobStore
from services.sitefit.api.settings import ApiSettings
from services.sitefit.contracts import ContractDirectory

SERVICE = "sitefit-api"

log = get_logger()


def build_app(settings: ApiSettings) -> FastAPI:
    """Return the application; nothing is opened before its lifespan starts."""
    checks: dict[str, Check] = {}
    vital: dict[str, Check] = {}

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            await _open(app, settings, stack, checks)
            vital["database"] = checks["database"]
            log.info(
                "api.started",
                database=database_name(settings.database_url.get_secret_value()),
                namespace=namespace_of(settings.azure_servicebus_connection_string.get_secret_value()),
                queue=settings.sitefit_queue,
                contracts=app.state.desk.contracts.names(),
            )
            yield
            log.info("api.stopping")
        log.info("api.stopped")

    app = FastAPI(title="Sitefit", lifespan=lifespan)
    app.include_router(health_routes(SERVICE, checks, vital))
    app.include_router(jobs.routes)
    answer_when_database_is_away(app)
    # The last one added is the first to see a request.
    app.add_middleware(BodyLimit, max_bytes=settings.max_request_bytes)
    app.add_middleware(RequestLog)
    return app


async def _open(app: FastAPI, settings: ApiSettings, stack: AsyncExitStack, checks: dict[str, Check]) -> None:
    """Open what the API stands on. A dependency that is away makes ``/ready`` say so; a queue that does not exist ends the
    start (``QueueMissingError``)."""
    pool = connection_pool(settings.database_url.get_secret_value(), ROLE)
    await stack.enter_async_context(pool)
    connection_string = settings.azure_servicebus_connection_string.get_secret_value()
    client = servicebus_client(connection_string)

    async def check_queue() -> None:
        await require_queue(
            client, settings.sitefit_queue, namespace=namespace_of(connection_string), variable="SITEFIT_QUEUE"
        )

    try:
        await check_queue()
    except QueueMissingError as error:
        log.critical("api.queue_missing", queue=error.queue, problem=str(error))
        raise
    except (ServiceBusError, OSError) as error:
        log.warning("api.queue_unreachable", queue=settings.sitefit_queue, error=type(error).__name__)
    publisher = await stack.enter_async_context(Publisher(client, settings.sitefit_queue))
    blobs = Blobs(
        blob_service(settings.azure_storage_connection_string.get_secret_value()), settings.artifacts_container
    )
    await stack.enter_async_context(blobs)
    app.state.desk = jobs.JobDesk(
        store=JobStore(pool),
        contracts=ContractDirectory(settings.contracts_dir),
        publisher=publisher,
        blobs=blobs,
        cache_ttl=settings.result_cache_ttl,
        artifact_url_lifetime=timedelta(seconds=settings.artifact_url_lifetime_seconds),
    )

    async def check_postgres() -> None:
        await check_database(pool, "SELECT id FROM job LIMIT 0")

    checks.update(database=check_postgres, queue=check_queue, blobs=blobs.check)
