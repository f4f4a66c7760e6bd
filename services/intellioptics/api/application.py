"""Puts the API together: what it stands on, its routes, and how it starts and stops."""

from __future__ import annotations

import asyncio
import importlib
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from fastapi import FastAPI

from services.intellioptics.api import detectors, image_queries
from services.intellioptics.api.arrivals import Arrivals
from services.intellioptics.api.query_store import QueryStore
from services.intellioptics.api.results import ResultHandler
from services.intellioptics.api.settings import ApiSettings
from services.shared.consumer import Consumer
from services.shared.database import Pool, check_database, connection_pool, database_name
from services.shared.health import Check, health_routes
from services.shared.http import BearerToken, BodyLimit, RequestLog, answer_when_database_is_away
from services.shared.logs import get_logger
from services.shared.publisher import Publisher, namespace_of, servicebus_client

if TYPE_CHECKING:
    from services.shared.blobs import Blobs

SERVICE = "intellioptics-api"
# What a multipart form adds to the image it carries.
_FORM_OVERHEAD = 64 * 1024

log = get_logger()


def build_app(settings: ApiSettings) -> FastAPI:
    """Return the application; nothing is opened before its lifespan starts."""
    checks: dict[str, Check] = {}

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            await _open(app, settings, stack, checks)
            log.info(
                "api.started",
                database=database_name(settings.database_url.get_secret_value()),
                blobs=app.state.desk.blobs.location,
                namespace=namespace_of(settings.azure_servicebus_connection_string.get_secret_value()),
                queue=settings.image_queries_queue,
                results_queue=settings.results_queue,
            )
            yield
            log.info("api.stopping")
        log.info("api.stopped")

    app = FastAPI(title="IntelliOptics", lifespan=lifespan)
    app.include_router(health_routes(SERVICE, checks))
    app.include_router(detectors.routes)
    app.include_router(image_queries.routes)
    answer_when_database_is_away(app)
    # The last one added is the first to see a request.
    app.add_middleware(BodyLimit, max_bytes=settings.max_image_bytes + _FORM_OVERHEAD)
    app.add_middleware(BearerToken, token=settings.api_token.get_secret_value(), prefix="/v1")
    app.add_middleware(RequestLog)
    return app


async def _open(app: FastAPI, settings: ApiSettings, stack: AsyncExitStack, checks: dict[str, Check]) -> None:
    """Open what the API stands on. A dependency that is away makes ``/ready`` say so; it does not stop the start."""
    database_url = settings.database_url.get_secret_value()
    pool: Pool = connection_pool(database_url)
    await stack.enter_async_context(pool)
    client = servicebus_client(settings.azure_servicebus_connection_string.get_secret_value())
    publisher = await stack.enter_async_context(Publisher(client, settings.image_queries_queue))

    queries, arrivals, stopping = QueryStore(pool), Arrivals(), asyncio.Event()
    if settings.results_concurrency:
        consumer = Consumer(
            client,
            settings.results_queue,
            ResultHandler(queries, arrivals),
            service=SERVICE,
            name="results",
            concurrency=settings.results_concurrency,
            grace=settings.shutdown_grace_seconds,
        )
        consuming = asyncio.create_task(consumer.run())

        async def stop_consumer() -> None:
            consumer.stop()
            await consuming

        stack.push_async_callback(stop_consumer)
        checks["results"] = consumer.ready
    opening = asyncio.create_task(publisher.ready())
    # `/ready` tells of a queue that is away; here its error is only looked at, so that asyncio does not report it as lost.
    opening.add_done_callback(lambda task: task.cancelled() or task.exception())
    stack.push_async_callback(_cancelled, opening)
    # Opening a link takes the SDK half a second, nearly all of it asleep: time to load the storage SDK, which takes as long.
    storage = await asyncio.to_thread(importlib.import_module, "services.shared.blobs")
    service = storage.blob_service(settings.azure_storage_connection_string.get_secret_value())
    blobs: Blobs = storage.Blobs(service, settings.blob_container)
    await stack.enter_async_context(blobs)
    app.state.detectors = detectors.DetectorStore(pool)
    app.state.desk = image_queries.ImageQueryDesk(
        store=queries,
        detectors=app.state.detectors,
        blobs=blobs,
        publisher=publisher,
        arrivals=arrivals,
        sas_lifetime=timedelta(seconds=settings.sas_lifetime_seconds),
        max_image_bytes=settings.max_image_bytes,
        default_wait=settings.wait_timeout_seconds,
        stopping=stopping,
    )

    def on_stop() -> None:
        stopping.set()
        arrivals.announce_all()

    stack.callback(_before_termination(on_stop))
    listening = asyncio.create_task(arrivals.listen(database_url, queries))
    stack.push_async_callback(_cancelled, listening)

    async def check_postgres() -> None:
        await check_database(pool, "SELECT public_id FROM detectors LIMIT 0")

    checks.update(postgres=check_postgres, blobs=blobs.check, servicebus=publisher.ready)


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait({task})


def _before_termination(action: Callable[[], None]) -> Callable[[], None]:
    """Run ``action`` as SIGTERM arrives, before the server waits for open requests; return how to undo that.

    Without it a request that waits for a result would hold up the stop for as long as its client allows.
    """
    try:
        loop = asyncio.get_running_loop()
        previous = signal.getsignal(signal.SIGTERM)

        def handle(number: int, frame: object) -> None:
            loop.call_soon_threadsafe(action)
            if callable(previous):
                previous(number, frame)  # type: ignore[arg-type]

        signal.signal(signal.SIGTERM, handle)
    except ValueError:  # Not the main thread: whoever runs us there stops us in another way.
        return lambda: None

    def undo() -> None:
        signal.signal(signal.SIGTERM, previous)

    return undo
