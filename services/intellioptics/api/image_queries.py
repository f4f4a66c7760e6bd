"""Image queries: an image is stored, signed, enqueued and, when asked, its answer awaited."""

from __future__ import annotations

import asyncio
import mimetypes
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Literal

from azure.core.exceptions import AzureError
from fastapi import APIRouter, File, Header, HTTPException, Query, Request, Response, UploadFile
from pydantic import BaseModel

from services.intellioptics.api.arrivals import Arrivals
from services.intellioptics.api.detectors import DetectorStore, found
from services.intellioptics.api.query_store import QueryStore
from services.intellioptics.contracts import IMAGE_QUERY
from services.intellioptics.identifiers import new_image_query_id
from services.shared.correlation import current_correlation_id
from services.shared.database import Row
from services.shared.logs import get_logger
from services.shared.publisher import Publisher, PublishError

if TYPE_CHECKING:
    from services.shared.blobs import Blobs

log = get_logger()


class ImageQuery(BaseModel):
    """An image query as clients see it; what is not known yet is left out."""

    image_query_id: str
    status: Literal["PENDING", "QUEUED", "DONE"]
    detector_id: str | None = None
    answer: Literal["YES", "NO", "UNCLEAR", "COUNT"] | None = None
    confidence: float | None = None
    count: int | None = None
    reason: str | None = None
    model_version: str | None = None
    latency_ms: int | None = None
    created_at: datetime | None = None
    completed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ImageQueryDesk:
    """Takes image queries in and tells how they stand."""

    store: QueryStore
    detectors: DetectorStore
    blobs: Blobs
    publisher: Publisher
    arrivals: Arrivals
    sas_lifetime: timedelta
    max_image_bytes: int
    default_wait: float
    stopping: asyncio.Event

    async def ask(
        self, detector_id: str, image: bytes, content_type: str, patience: float, idempotency_key: str | None
    ) -> Row:
        """Store ``image``, enqueue the question about it and return the query, QUEUED (or further, when repeated).

        The order makes every failure one that a retry repairs: the row (PENDING), the blob, the message, the row
        (QUEUED). With an idempotency key the retry finds the same row, replaces the same blob and sends the same
        message id, which duplicate detection drops if the first copy did arrive.
        """
        query_id = new_image_query_id(idempotency_key)
        blob_name = f"image-queries/{query_id}{_suffix(content_type)}"
        query = await self.store.open(query_id, detector_id, blob_name, current_correlation_id())
        if query["status"] != "PENDING":
            return query
        try:
            await self.blobs.upload(blob_name, image, content_type)
            message = IMAGE_QUERY.check(
                {
                    "kind": "image-query",
                    "image_query_id": query_id,
                    "detector_id": detector_id,
                    "blob_url": self.blobs.read_url(blob_name, self.sas_lifetime),
                    "content_type": content_type,
                    "size": len(image),
                    "timeout": patience,
                    "metadata": {"source": "api"},
                }
            )
            await self.publisher.send(message, message_id=query_id, subject="image-query")
        except (AzureError, PublishError, OSError) as error:
            log.warning("image_query.not_queued", image_query_id=query_id, error=str(error))
            raise HTTPException(
                503, "the image query could not be queued; send it again", headers={"Retry-After": "1"}
            ) from error
        await self.store.queued(query_id)
        log.info("image_query.queued", image_query_id=query_id, detector_id=detector_id, size=len(image))
        return {**query, "status": "QUEUED"}

    async def wait(self, query: Row, patience: float) -> Row:
        """Return ``query`` once it is DONE, or as it stands after ``patience`` seconds."""
        query_id = query["image_query_id"]
        with self.arrivals.expected(query_id) as arrived:
            known = await self.store.find(query_id) or query
            if known["status"] == "DONE" or self.stopping.is_set():
                return known
            try:
                async with asyncio.timeout(patience):
                    await arrived.wait()
            except TimeoutError:
                return known
        return await self.store.find(query_id) or known


def _suffix(content_type: str) -> str:
    return mimetypes.guess_extension(content_type.partition(";")[0].strip()) or ""


routes = APIRouter(prefix="/v1/image-queries", tags=["image queries"])


def _desk(request: Request) -> ImageQueryDesk:
    desk: ImageQueryDesk = request.app.state.desk
    return desk


@routes.post("", status_code=202, response_model=ImageQuery, response_model_exclude_none=True)
async def ask(
    request: Request,
    response: Response,
    detector_id: Annotated[str, Query(min_length=1, max_length=128)],
    image: Annotated[UploadFile, File()],
    wait: bool = False,
    patience: Annotated[float | None, Query(alias="timeout", gt=0, le=300)] = None,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=200)] = None,
) -> Row:
    """Ask a detector's question about an image.

    Answers 202 with ``QUEUED``; with ``wait=true`` 200 with ``DONE`` and the answer, or 202 when ``timeout`` seconds
    are up. Repeating a request with the same ``Idempotency-Key`` never asks twice.
    """
    desk = _desk(request)
    detector = found(await desk.detectors.find(detector_id), detector_id)
    if detector["status"] != "active":
        raise HTTPException(409, f"detector is disabled: {detector_id}")
    content = await image.read(desk.max_image_bytes + 1)
    if not content:
        raise HTTPException(400, "image is empty")
    if len(content) > desk.max_image_bytes:
        raise HTTPException(413, f"image is larger than {desk.max_image_bytes} bytes")
    seconds = patience or desk.default_wait
    content_type = image.content_type or "application/octet-stream"
    query = await desk.ask(detector["id"], content, content_type, seconds, idempotency_key)
    if wait:
        query = await desk.wait(query, seconds)
    response.status_code = 200 if query["status"] == "DONE" else 202
    return query


@routes.get("/{image_query_id}", response_model=ImageQuery, response_model_exclude_none=True)
async def get_image_query(image_query_id: str, request: Request) -> Row:
    """Tell how an image query stands, and its answer once there is one."""
    query = await _desk(request).store.find(image_query_id)
    if query is None:
        raise HTTPException(404, f"image query not found: {image_query_id}")
    return query
