"""Puts the API together: what it stands on, its routes, and how it starts and stops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse

from services.defectiq.api import artifacts, ingest
from services.defectiq.api.gate import HEADER as KEY_HEADER
from services.defectiq.api.gate import Gate
from services.defectiq.api.rate_limit import RateLimit
from services.defectiq.api.settings import ApiSettings
from services.defectiq.azure import Azure
from services.defectiq.grants import ACCOUNT, BLOBS, SENDER, needs, preflight
from services.shared.correlation import HEADER as CORRELATION_HEADER
from services.shared.health import Check, health_routes
from services.shared.http import BodyLimit, RequestLog
from services.shared.logs import get_logger
from services.shared.publisher import Publisher

SERVICE = "defectiq-api"
# What a multipart form adds to the picture it carries.
_FORM_OVERHEAD = 64 * 1024

log = get_logger()


def build_app(settings: ApiSettings) -> FastAPI:
    """Return the application; nothing is opened before its lifespan starts."""
    checks: dict[str, Check] = {}

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            await _open(app, settings, stack, checks)
            looking = asyncio.create_task(preflight("api.preflight", checks))
            yield
            looking.cancel()
            log.info("api.stopping")
        log.info("api.stopped")

    app = FastAPI(title="DefectIQ", lifespan=lifespan)
    app.include_router(health_routes(SERVICE, checks))
    app.include_router(ingest.routes)
    app.include_router(artifacts.routes)
    app.add_exception_handler(RequestValidationError, _refused)
    # The last one added is the first to see a request.
    app.add_middleware(BodyLimit, max_bytes=settings.max_image_bytes + _FORM_OVERHEAD, field="image")
    app.add_middleware(Gate, prefix="/api/v1", keys=settings.keys)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=settings.origins,
        allow_methods=["GET", "POST"],
        allow_headers=[KEY_HEADER, CORRELATION_HEADER],
        expose_headers=["retry-after", CORRELATION_HEADER],
    )
    app.add_middleware(RequestLog)
    return app


async def _open(app: FastAPI, settings: ApiSettings, stack: AsyncExitStack, checks: dict[str, Check]) -> None:
    """Open what the API stands on. A dependency that is away makes ``/ready`` say so; it does not stop the start."""
    azure = Azure(settings, stack)
    publisher = Publisher(await azure.servicebus(), settings.azure_servicebus_queue)
    await stack.enter_async_context(publisher)
    raw = await azure.blobs(settings.azure_storage_raw_container)
    processed = await azure.blobs(settings.azure_storage_processed_container)
    counters = await azure.blobs(settings.azure_storage_limits_container)
    app.state.desk = ingest.IngestDesk(
        raw=raw,
        raw_container=settings.azure_storage_raw_container,
        publisher=publisher,
        max_image_bytes=settings.max_image_bytes,
        max_image_pixels=settings.max_image_pixels,
    )
    app.state.processed = processed
    app.state.limits = (
        RateLimit(counters, "address", settings.rate_limit_per_ip),
        RateLimit(counters, "key", settings.rate_limit_per_key),
    )
    queue = settings.azure_servicebus_queue
    checks.update(
        queue=needs(SENDER, queue, publisher.ready),
        raw=needs(BLOBS, ACCOUNT, raw.check),
        processed=needs(BLOBS, ACCOUNT, processed.check),
        limits=needs(BLOBS, ACCOUNT, counters.check),
    )
    log.info(
        "api.started",
        raw=raw.location,
        processed=processed.location,
        namespace=azure.namespace,
        queue=queue,
        origins=settings.origins,
    )


async def _refused(_request: Request, error: Exception) -> JSONResponse:
    """Tell what is wrong with a request in the one form that this API has for it."""
    assert isinstance(error, RequestValidationError)
    problems = [
        {"field": ".".join(str(part) for part in each["loc"][1:]), "problem": each["msg"]} for each in error.errors()
    ]
    return JSONResponse({"detail": problems}, status_code=422)
