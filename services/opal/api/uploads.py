"""``/v1/uploads``: a URL that takes one picture, and the word that it is there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal
from uuid import UUID

from azure.core.exceptions import AzureError
from fastapi import APIRouter, HTTPException, Request
from pydantic import BaseModel, ConfigDict

from services.opal.api.caller import Caller, require_own
from services.opal.api.item_store import ItemStore
from services.opal.messages import ItemKey, send_job_message
from services.opal.places import upload_name
from services.shared.blobs import Blobs
from services.shared.database import Row
from services.shared.logs import get_logger
from services.shared.publisher import Publisher, PublishError

log = get_logger()


class Upload(BaseModel):
    """The body of ``POST /v1/uploads/complete``: which item."""

    model_config = ConfigDict(extra="forbid")

    tenant_id: str
    job_id: UUID
    item_id: UUID

    @property
    def key(self) -> ItemKey:
        """The item."""
        return ItemKey(self.tenant_id, str(self.job_id), str(self.item_id))


class UploadRequest(Upload):
    """The body of ``POST /v1/uploads/sas``: which item, and what will be put there."""

    filename: str
    content_type: Literal["image/jpeg", "image/png", "image/webp"]


@dataclass(frozen=True, slots=True)
class UploadDesk:
    """Lets items be uploaded, and hands each on once its picture is there.

    An item is marked before its message is sent; what got no message gets it when ``complete`` is called again.
    """

    store: ItemStore
    uploads: Blobs
    publisher: Publisher
    url_lifetime: timedelta

    async def url(self, body: UploadRequest) -> str:
        """Return a URL that can create the item's blob and nothing else. Raises ``HTTPException``."""
        item = await self._item(body.key)
        if body.filename != item["filename"]:
            raise HTTPException(422, [{"field": "filename", "problem": "is not the item's"}])
        log.info("upload.offered", **body.key.facts)
        return self.uploads.create_url(upload_name(body.key, item["filename"]), self.url_lifetime)

    async def complete(self, key: ItemKey) -> None:
        """Put the item into the queue, once. Raises ``HTTPException``."""
        item = await self._item(key)
        if item["enqueued_at"] is not None:
            log.info("upload.completed_before", **key.facts, status=item["status"])
            return
        try:
            if not await self.uploads.exists(upload_name(key, item["filename"])):
                raise HTTPException(409, "nothing has been uploaded for this item")
            await self.store.queued(key)
            await send_job_message(self.publisher, key)
        except (AzureError, PublishError, OSError) as error:
            log.warning("item.not_queued", **key.facts, error=type(error).__name__)
            raise HTTPException(503, "the item could not be queued; try again", {"Retry-After": "1"}) from error
        await self.store.enqueued(key)
        log.info("item.queued", **key.facts)

    async def _item(self, key: ItemKey) -> Row:
        item = await self.store.item(key)
        if item is None:
            raise HTTPException(404, f"item not found: {key.item_id}")
        return item


routes = APIRouter(prefix="/v1/uploads", tags=["uploads"])


@routes.post("/sas")
async def upload_url(body: UploadRequest, request: Request, caller: Caller) -> dict[str, str]:
    """Answer with where to ``PUT`` the picture (``x-ms-blob-type: BlockBlob``)."""
    require_own(caller, body.tenant_id)
    desk: UploadDesk = request.app.state.desk
    return {"upload_url": await desk.url(body)}


@routes.post("/complete")
async def complete(body: Upload, request: Request, caller: Caller) -> dict[str, bool]:
    """Say that the picture is there. Again is as once."""
    require_own(caller, body.tenant_id)
    desk: UploadDesk = request.app.state.desk
    await desk.complete(body.key)
    return {"ok": True}
