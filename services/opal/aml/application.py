"""The endpoint: who may ask, which deployment answers, and 424 when the model in it does not say 200."""

from __future__ import annotations

import asyncio
import base64
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from PIL import ImageOps

from services.opal.aml.settings import EndpointSettings
from services.opal.contracts import SCORE_ANSWER, SCORE_REQUEST
from services.shared.contracts import ContractViolationError
from services.shared.download import Downloader, DownloadRefusedError
from services.shared.health import health_routes
from services.shared.http import BearerToken, BodyLimit, RequestLog
from services.shared.http_client import http_client
from services.shared.image import NoImageError, open_image
from services.shared.logs import get_logger
from services.shared.outcomes import TransientFailure

SERVICE = "opal-aml"
_SIDE = 2048

log = get_logger()


def build_app(settings: EndpointSettings) -> FastAPI:
    """Return the application."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with http_client(10.0) as client:
            app.state.downloader = Downloader(client, settings.max_image_bytes, 10.0)
            log.info("endpoint.started", deployments=settings.deployments)
            yield

    app = FastAPI(title="An Azure ML endpoint", lifespan=lifespan)
    app.include_router(health_routes(SERVICE, {}))

    @app.post("/score")
    async def score(request: Request) -> JSONResponse:
        deployment = request.headers.get("azureml-model-deployment", settings.deployments[0])
        if deployment not in settings.deployments:
            return JSONResponse({"error": f"there is no deployment {deployment[:100]}"}, status_code=404)
        try:
            answer = await _made(await request.body(), app.state.downloader, settings, deployment)
        except _ModelError as error:
            log.warning("model.failed", status=error.status, problem=str(error))
            return JSONResponse(
                {"error": str(error)},
                status_code=424,
                headers={
                    "ms-azureml-model-error-statuscode": str(error.status),
                    "ms-azureml-model-error-reason": str(error),
                },
            )
        return JSONResponse(answer, headers={"azureml-model-deployment": deployment})

    # The last one added is the first to see a request.
    app.add_middleware(BodyLimit, max_bytes=64 * 1024)
    app.add_middleware(BearerToken, token=settings.aml_key.get_secret_value(), prefix="/score")
    app.add_middleware(RequestLog)
    return app


class _ModelError(Exception):
    """The model's container answers ``status``."""

    def __init__(self, status: int, problem: str) -> None:
        super().__init__(problem)
        self.status = status


async def _made(body: bytes, downloader: Downloader, settings: EndpointSettings, deployment: str) -> dict[str, Any]:
    try:
        question = SCORE_REQUEST.parse(body)
        data = await downloader.fetch(question["input_image_sas"])
        picture = await asyncio.to_thread(_mirrored, data, settings.max_image_pixels)
    except ContractViolationError as error:
        raise _ModelError(422, str(error)) from error
    except DownloadRefusedError as error:
        raise _ModelError(400, f"input_image_sas cannot be read: {error}") from error
    except NoImageError as error:
        raise _ModelError(422, f"input_image_sas is no picture: {error}") from error
    except TransientFailure as error:
        raise _ModelError(500, str(error)) from error
    log.info("picture.made", item_id=question["item_id"], deployment=deployment)
    return SCORE_ANSWER.check(
        {"image_bytes_b64": base64.b64encode(picture).decode(), "meta": {"deployment": deployment, "model": "mirror"}}
    )


def _mirrored(data: bytes, max_pixels: int) -> bytes:
    """Return the picture as a PNG, left for right: whoever looks at it later sees that the model had it."""
    made = io.BytesIO()
    ImageOps.mirror(open_image(data, max_pixels=max_pixels, side=_SIDE)).save(made, "PNG")
    return made.getvalue()
