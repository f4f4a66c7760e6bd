"""``POST /api/v1/ingest``: a picture is checked, stored, and put into the queue."""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID, uuid4

import rfc8785
from azure.core.exceptions import AzureError
from fastapi import APIRouter, File, Form, HTTPException, Request, UploadFile

from services.defectiq.contracts import CONTENT_TYPES, DEFECT_JOB
from services.defectiq.grants import ACCOUNT, BLOBS, SENDER, told
from services.defectiq.moment import moment
from services.shared.blobs import Blobs
from services.shared.contracts import ContractViolationError
from services.shared.correlation import current_correlation_id
from services.shared.image import NoImageError, image_facts
from services.shared.logs import get_logger
from services.shared.publisher import Publisher, PublishError

log = get_logger()

# A message holds 256 KiB, and there is more in it than this.
_MAX_METADATA = 32 * 1024


def refused(status: int, field: str, problem: str) -> HTTPException:
    """Return the answer to what was sent in ``field``."""
    return HTTPException(status, [{"field": field, "problem": problem}])


@dataclass(frozen=True, slots=True)
class IngestDesk:
    """Takes pictures in: the blob, then the message.

    Whatever fails between the two, the same request with the same ``image_id`` repairs: the blob that is there tells
    when it came and what was sent, so the same message is sent again, to the letter and under the same id.
    """

    raw: Blobs
    raw_container: str
    publisher: Publisher
    max_image_bytes: int
    max_image_pixels: int

    async def take(self, image: bytes, content_type: str, metadata: dict[str, Any], image_id: str | None) -> str:
        """Return the picture's id once its message is in the queue. Raises ``HTTPException``."""
        await asyncio.to_thread(self._check, image, content_type)
        given, image_id = image_id, image_id or str(uuid4())
        name = f"{image_id}.{CONTENT_TYPES[content_type]}"
        now = moment(datetime.now(UTC))
        job = {
            "kind": "defect-job",
            "image_id": image_id,
            "ingested_at": now,
            "metadata": metadata,
            "source_blob": {"container": self.raw_container, "blob_name": name},
            "content_type": content_type,
            "size": len(image),
        }
        try:
            DEFECT_JOB.check(job)
            fingerprint = hashlib.sha256(rfc8785.dumps([content_type, metadata]) + image).hexdigest()
        except ContractViolationError as error:
            problems = [{"field": found.field, "problem": found.problem} for found in error.violations]
            raise HTTPException(422, problems) from error
        except (ValueError, RecursionError) as error:
            raise refused(422, "metadata.extra", "holds what JSON cannot carry to another program") from error
        kept = {"ingested_at": now, "fingerprint": fingerprint}
        try:
            if given is None or not (found := await self.raw.find(f"{image_id}.")):
                is_new = await self.raw.create(name, image, content_type, kept)
                found = {name: kept} if is_new else await self.raw.find(f"{image_id}.")
            if [each.get("fingerprint") for each in found.values()] != [fingerprint]:
                raise refused(409, "image_id", "belongs to another picture, or to the same with other metadata")
            job["ingested_at"] = found[name]["ingested_at"]
            log.info("image.stored", image_id=image_id, repeated=found[name] is not kept)
            await self.publisher.send(job, message_id=image_id, subject="defect-job")
        except (AzureError, PublishError, OSError) as error:
            role, on = (SENDER, self.publisher.queue) if isinstance(error, PublishError) else (BLOBS, ACCOUNT)
            log.warning("image.not_queued", image_id=image_id, error=told(error, role, on))
            detail = {"image_id": image_id, "problem": "the picture could not be queued; send it again with this id"}
            raise HTTPException(503, detail, {"Retry-After": "1"}) from error
        log.info("image.queued", image_id=image_id, size=len(image))
        return image_id

    def _check(self, image: bytes, content_type: str) -> None:
        if content_type not in CONTENT_TYPES:
            raise refused(415, "image", f"must be one of {', '.join(CONTENT_TYPES)}, not {content_type[:100]}")
        if len(image) > self.max_image_bytes:
            raise refused(413, "image", f"is larger than {self.max_image_bytes} bytes")
        try:
            found = image_facts(image, max_pixels=self.max_image_pixels).content_type
        except NoImageError as error:
            raise refused(422, "image", f"is no picture: {error}") from error
        if found != content_type:
            raise refused(415, "image", f"is {found}, not {content_type} as announced")


routes = APIRouter(prefix="/api/v1", tags=["ingest"])


@routes.post("/ingest", status_code=202)
async def ingest(
    request: Request,
    image: Annotated[UploadFile, File()],
    metadata: Annotated[str, Form(max_length=_MAX_METADATA)],
    image_id: Annotated[UUID | None, Form()] = None,
) -> dict[str, Any]:
    """Take a picture and its ``metadata`` (JSON: ``product_sku``, ``facility``, and what else there is in ``extra``).

    A client that chooses ``image_id`` can repeat a request that failed, and is never looked at twice.
    """
    desk: IngestDesk = request.app.state.desk
    try:
        document = json.loads(metadata)
    except (ValueError, RecursionError):
        raise refused(422, "metadata", "is not JSON") from None
    content_type = (image.content_type or "").partition(";")[0].strip().lower()
    taken = await desk.take(
        await image.read(desk.max_image_bytes + 1), content_type, document, str(image_id) if image_id else None
    )
    return {"image_id": taken, "status": "queued", "correlation_id": current_correlation_id()}
