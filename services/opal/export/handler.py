"""Exports one item: from the message on ``exports`` to the variants in the storage, and the bill."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from azure.core.exceptions import AzureError
from azure.servicebus import ServiceBusReceivedMessage

from services.opal.export.billing import Billing
from services.opal.export.pictures import make_variants
from services.opal.export.progress import ExportProgress
from services.opal.messages import ItemKey, read_export_message
from services.opal.places import variant_name
from services.shared.blobs import Blobs
from services.shared.database import UNAVAILABLE
from services.shared.image import NoImageError
from services.shared.logs import get_logger
from services.shared.outcomes import PermanentFailure, TransientFailure

log = get_logger()


@dataclass(frozen=True, slots=True)
class ExportMessageHandler:
    """Handles the messages of ``exports``. The variants are stored, then billed, then the item is exported; each of these
    may be done again without harm, and is when the message comes again."""

    progress: ExportProgress
    billing: Billing
    outputs: Blobs
    exports: Blobs
    max_image_pixels: int

    async def __call__(self, message: ServiceBusReceivedMessage) -> None:
        """Export the item that ``message`` names."""
        key = read_export_message(message)
        try:
            await self._do(key)
        except UNAVAILABLE as error:
            raise TransientFailure(f"the database does not answer ({type(error).__name__})") from error
        except AzureError as error:
            raise TransientFailure(f"the storage does not answer ({type(error).__name__})") from error

    async def _do(self, key: ItemKey) -> None:
        item = await self.progress.find(key)
        if item is None:
            raise PermanentFailure("ItemNotFound", f"{key.tenant_id} has no item {key.item_id} in job {key.job_id}")
        if item["status"] == "exported":
            log.info("item exported before", **key.facts)
            return
        if item["status"] != "completed":
            raise TransientFailure(f"the item is {item['status']}, not completed")
        log.info("processing export", **key.facts)
        picture = await self.outputs.read(item["output_blob"])
        if picture is None:
            raise PermanentFailure("OutputMissing", f"there is no blob {item['output_blob']}")
        try:
            made = await asyncio.to_thread(make_variants, picture, max_pixels=self.max_image_pixels)
        except NoImageError as error:
            raise PermanentFailure("NotAPicture", str(error)) from error
        variants = {variant_name(key, each.name, each.suffix): each for each in made}
        for name, each in variants.items():
            await self.exports.upload(name, each.data, each.content_type)
        log.info("variants stored", **key.facts, variants=[each.name for each in made])
        await self.billing.record(key, len(made))
        log.info("usage recorded", **key.facts)
        if await self.progress.exported(key, variants):
            log.info("item exported", **key.facts)
        else:
            log.info("item exported before", **key.facts)
