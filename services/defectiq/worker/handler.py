"""Does one job: from the message on the queue to the artifact in blob storage."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import rfc8785
from azure.core.exceptions import AzureError
from azure.servicebus import ServiceBusReceivedMessage

from services.defectiq.contracts import ARTIFACT, DEFECT_JOB, artifact_name
from services.defectiq.grants import ACCOUNT, BLOBS, told
from services.defectiq.moment import moment
from services.defectiq.worker.inspector import Inspection, Inspector
from services.shared.blobs import Blobs
from services.shared.contracts import ContractViolationError
from services.shared.image import ImageFacts, NoImageError, image_facts
from services.shared.logs import get_logger
from services.shared.message_body import body_of
from services.shared.outcomes import PermanentFailure, TransientFailure
from services.shared.telemetry import model_call

log = get_logger()


@dataclass(frozen=True, slots=True)
class DefectJobHandler:
    """Handles the messages of the job queue. Returns once the artifact is in blob storage, so a message is completed after
    its effect; one whose picture has an artifact is not looked at again.

    An artifact is written once: of two workers with the same message the first one's stands. What is in it follows from
    the message and the model's answer alone: ``processed_at`` is when the message came into the queue, not when it was
    worked on, and JSON is canonical (RFC 8785).
    """

    raw: Blobs
    raw_container: str
    processed: Blobs
    inspector: Inspector
    max_image_pixels: int

    async def __call__(self, message: ServiceBusReceivedMessage) -> None:
        """Have the picture that ``message`` names looked at."""
        try:
            job = DEFECT_JOB.parse(body_of(message))
        except ContractViolationError as error:
            raise PermanentFailure("ContractViolation", str(error)) from error
        if job["source_blob"]["container"] != self.raw_container:
            raise PermanentFailure("ContractViolation", f"source_blob.container: must be {self.raw_container}")
        try:
            await self._do(job, _enqueued_at(message))
        except AzureError as error:
            raise TransientFailure(f"the storage does not answer: {told(error, BLOBS, ACCOUNT)}") from error

    async def _do(self, job: dict[str, Any], enqueued_at: str) -> None:
        image_id = job["image_id"]
        name = artifact_name(image_id)
        if await self.processed.exists(name):
            log.info("artifact.exists", image_id=image_id)
            return
        image = await self.raw.read(job["source_blob"]["blob_name"])
        if image is None:
            raise PermanentFailure("SourceMissing", f"there is no blob {job['source_blob']['blob_name']}")
        try:
            facts = await asyncio.to_thread(image_facts, image, max_pixels=self.max_image_pixels)
        except NoImageError as error:
            raise PermanentFailure("NotAPicture", str(error)) from error
        log.info("image.analysing", image_id=image_id, deployment=self.inspector.deployment)
        with model_call(self.inspector.deployment, "azure.ai.openai"):
            seen = await self.inspector.inspect(image, facts.content_type, job["metadata"]["product_sku"])
        data = rfc8785.dumps(_artifact(job, enqueued_at, seen, facts))
        if await self.processed.create(name, data, "application/json"):
            log.info("artifact.written", image_id=image_id, size=len(data))
            return
        is_same = await self.processed.read(name) == data
        log.info("artifact.kept", image_id=image_id, identical=is_same)


def _artifact(job: dict[str, Any], enqueued_at: str, seen: Inspection, facts: ImageFacts) -> dict[str, Any]:
    """Return the artifact; raise ``PermanentFailure`` rather than make up what the answer does not say."""
    metadata = job["metadata"]
    artifact = {
        "image_id": job["image_id"],
        "timestamps": {"ingested_at": job["ingested_at"], "processed_at": enqueued_at},
        "metadata": {
            "product_sku": metadata["product_sku"],
            "facility": metadata["facility"],
            "source_blob": job["source_blob"],
            "content_type": job["content_type"],
            "extra": metadata.get("extra", {}),
        },
        "defect_findings": seen.findings,
        "model_version": seen.model,
    }
    try:
        ARTIFACT.check(artifact)
    except ContractViolationError as error:
        raise PermanentFailure("AnswerInvalid", str(error)) from error
    for number, box in enumerate(seen.findings["bounding_boxes"]):
        if box["x"] + box["width"] > facts.width or box["y"] + box["height"] > facts.height:
            size = f"{facts.width}x{facts.height}"
            raise PermanentFailure("AnswerInvalid", f"bounding_boxes.{number}: lies outside of the picture ({size})")
    return artifact


def _enqueued_at(message: ServiceBusReceivedMessage) -> str:
    at = message.enqueued_time_utc
    if at is None:
        raise PermanentFailure("ContractViolation", "the message does not tell when it was enqueued")
    return moment(at)
