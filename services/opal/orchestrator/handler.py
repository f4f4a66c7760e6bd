"""Does one item: from the message on ``jobs`` to the picture in the storage and the message on ``exports``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from azure.servicebus import ServiceBusReceivedMessage

from services.opal.messages import ItemKey, read_job_message, send_export_message
from services.opal.orchestrator.endpoint import ScoringEndpoint
from services.opal.orchestrator.progress import ItemProgress
from services.opal.orchestrator.upload import Uploader
from services.opal.places import output_name, upload_name
from services.shared.blobs import Blobs
from services.shared.database import UNAVAILABLE, Row
from services.shared.logs import get_logger
from services.shared.outcomes import PermanentFailure, TransientFailure
from services.shared.publisher import Publisher, PublishError
from services.shared.telemetry import model_call

log = get_logger()


@dataclass(frozen=True, slots=True)
class JobMessageHandler:
    """Handles the messages of ``jobs``. The picture is stored, then the item is completed, then its export is asked for: a
    message that comes again takes up what is left of that.

    What cannot be mended fails the item at once; what may be is tried again, until that is given up. Either way the message
    goes to the dead letters with the reason, and resubmitting it begins anew.
    """

    progress: ItemProgress
    endpoint: ScoringEndpoint
    uploader: Uploader
    uploads: Blobs
    outputs: Blobs
    exports: Publisher
    url_lifetime: timedelta

    async def __call__(self, message: ServiceBusReceivedMessage) -> None:
        """Work on the item that ``message`` names."""
        key = read_job_message(message)
        try:
            await self._do(key)
        except UNAVAILABLE as error:
            raise TransientFailure(f"the database does not answer ({type(error).__name__})") from error

    async def give_up(self, message: ServiceBusReceivedMessage, why: str) -> None:
        """End the work on the item that ``message`` names without a picture. Raises what the database raises."""
        try:
            key = read_job_message(message)
        except PermanentFailure:
            return  # it names none
        if await self.progress.fail(key, why):
            log.warning("item failed", **key.facts, problem=why)

    async def _do(self, key: ItemKey) -> None:
        item = await self.progress.claim(key)
        if item is None:
            raise PermanentFailure("ItemNotFound", f"{key.tenant_id} has no item {key.item_id} in job {key.job_id}")
        if item["status"] == "exported":
            log.info("item exported before", **key.facts)
            return
        if item["status"] == "processing":
            log.info("processing job message", **key.facts, attempt=item["attempts"])
            await self._make(key, item)
        else:
            log.info("item completed before", **key.facts)
        await self._export(key)

    async def _make(self, key: ItemKey, item: Row) -> None:
        question = {
            **key.facts,
            "input_image_sas": self.uploads.read_url(upload_name(key, item["filename"]), self.url_lifetime),
            "prompt": f"A product photo in the style of brand profile {item['brand_profile_id']}",
        }
        log.info("calling AML endpoint", **key.facts)
        with model_call("aml"):
            picture = await self.endpoint.score(question)
        name = output_name(key)
        await self.uploader.put(self.outputs.write_url(name, self.url_lifetime), picture, "image/png")
        if await self.progress.complete(key, name):
            log.info("item completed", **key.facts, output_blob=name)
        else:
            log.info("item completed before", **key.facts)

    async def _export(self, key: ItemKey) -> None:
        try:
            await send_export_message(self.exports, key)
        except PublishError as error:
            raise TransientFailure(str(error)) from error
        log.info("sent export message", **key.facts)
