"""Puts the API together: what it stands on, its routes, and how it starts and stops."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

from fastapi import FastAPI

from services.opal.api import jobs, uploads
from services.opal.api.item_store import ROLE, ItemStore
from services.opal.api.settings import ApiSettings
from services.shared.blobs import Blobs, blob_service
from services.shared.database import check_database, connection_pool, database_name
from services.shared.health import Check, health_routes
from services.shared.http import BodyLimit, RequestLog, answer_when_database_is_away
from services.shared.logs import get_logger
from services.shared.publisher import Publisher, namespace_of, servicebus_client

SERVICE = "opal-api"

log = get_logger()


def build_app(settings: ApiSettings) -> FastAPI:
    """Return the application; nothing is opened before its lifespan starts."""
    checks: dict[str, Check] = {}

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            await _open(app, settings, stack, checks)
            yield
            log.info("api.stopping")
        log.info("api.stopped")

    app = FastAPI(title="OPAL", lifespan=lifespan)
    app.include_router(health_routes(SERVICE, checks))
    app.include_router(jobs.routes)
    app.include_router(uploads.routes)
    answer_when_database_is_away(app)
    # The last one added is the first to see a request.
    app.add_middleware(BodyLimit, max_bytes=settings.max_request_bytes)
    app.add_middleware(RequestLog)
    return app


async def _open(app: FastAPI, settings: ApiSettings, stack: AsyncExitStack, checks: dict[str, Check]) -> None:
    """Open what the API stands on. A dependency that is away makes ``/ready`` say so; it does not stop the start."""
    database_url = settings.database_url.get_secret_value()
    pool = connection_pool(database_url, ROLE)
    await stack.enter_async_context(pool)
    connection_string = settings.azure_servicebus_connection_string.get_secret_value()
    publisher = Publisher(servicebus_client(connection_string), settings.jobs_queue)
    await stack.enter_async_context(publisher)
    blobs = Blobs(blob_service(settings.azure_storage_connection_string.get_secret_value()), settings.uploads_container)
    await stack.enter_async_context(blobs)
    store = ItemStore(pool)
    app.state.tenants = settings.tenants
    app.state.store = store
    app.state.desk = uploads.UploadDesk(
        store=store,
        uploads=blobs,
        publisher=publisher,
        url_lifetime=timedelta(seconds=settings.upload_url_lifetime_seconds),
    )

    async def check_postgres() -> None:
        await check_database(pool, "SELECT id FROM item LIMIT 0")

    checks.update(database=check_postgres, queue=publisher.ready, uploads=blobs.check)
    log.info(
        "api.started",
        database=database_name(database_url),
        namespace=namespace_of(connection_string),
        queue=settings.jobs_queue,
        tenants=sorted(set(settings.tenants.values())),
    )
