"""Answers one image query: from the message on the queue to the result on the other."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Executor
from contextvars import copy_context
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from azure.servicebus import ServiceBusReceivedMessage

from services.intellioptics.contracts import IMAGE_QUERY, INFERENCE_RESULT
from services.intellioptics.identifiers import accepts_legacy_ids, is_legacy_detector_id
from services.intellioptics.worker.answers import Answer, answer
from services.intellioptics.worker.detector_directory import Detector, DetectorDirectory, DetectorNotFoundError
from services.intellioptics.worker.model import Detection, LoadedModel
from services.intellioptics.worker.query_directory import QueryDirectory
from services.intellioptics.worker.question import understand
from services.shared.contracts import ContractViolationError
from services.shared.download import Downloader, DownloadRefusedError
from services.shared.image import NoImageError, open_image
from services.shared.logs import get_logger
from services.shared.message_body import body_of
from services.shared.outcomes import PermanentFailure, TransientFailure
from services.shared.publisher import Publisher, PublishError
from services.shared.redaction import without_query
from services.shared.telemetry import model_call

log = get_logger()

Reason = Literal["no_image", "download_failed", "detector_not_found", "unavailable"]


class _NoAnswerError(Exception):
    """The query is settled without an answer; its asker is told why."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class ImageQueryHandler:
    """Handles the messages of the image query queue.

    Handling a message twice publishes the same result under the same message id, so a redelivery does no harm: the results
    queue drops what it remembers, and what it does not any more (``remembered``) is not sent once the API has it.
    ``now`` is the wall clock, which that and the grace period for old detector ids are measured on.
    """

    detectors: DetectorDirectory
    queries: QueryDirectory
    downloader: Downloader
    model: LoadedModel
    results: Publisher
    executor: Executor
    now: Callable[[], datetime]
    cutover: datetime | None
    presence_cutoff: float
    max_image_pixels: int
    remembered: timedelta

    async def __call__(self, message: ServiceBusReceivedMessage) -> str | None:
        """Answer the query in ``message``; return once the result is on its queue, with the reason if it tells no answer."""
        started = time.monotonic()
        try:
            query = IMAGE_QUERY.parse(body_of(message))
        except ContractViolationError as error:
            raise PermanentFailure("ContractViolation", str(error)) from error
        query_id = query["image_query_id"]
        if self._may_be_forgotten(message) and await self.queries.is_answered(query_id):
            log.info("inference.answered_before", image_query_id=query_id)
            return None
        result: dict[str, Any] = {"image_query_id": query_id}
        try:
            given = await self._answer(query)
        except _NoAnswerError as error:
            result |= _without_answer(error.reason)
        else:
            result |= {"answer": given.word, "confidence": given.confidence}
            if given.count is not None:
                result["count"] = given.count
        result |= {
            "latency_ms": round((time.monotonic() - started) * 1000),
            "model_version": self.model.version,
        }
        INFERENCE_RESULT.check(result)
        try:
            await self.results.send(result, message_id=query_id, subject="inference-result")
        except PublishError as error:
            raise TransientFailure(f"the result was not accepted ({error})") from error
        log.info("inference.answered", **result)
        return result.get("reason")

    async def give_up(self, message: ServiceBusReceivedMessage, why: str) -> None:
        """Tell the asker that there is no answer for now. Under an id of its own: an answer may come yet, when the message
        is resubmitted. Raises ``PublishError``."""
        try:
            query_id = IMAGE_QUERY.parse(body_of(message))["image_query_id"]
        except ContractViolationError:
            return  # nobody who keeps the contract has asked
        told = {"image_query_id": query_id, **_without_answer("unavailable"), "latency_ms": 0}
        told = INFERENCE_RESULT.check(told | {"model_version": self.model.version})
        await self.results.send(told, message_id=f"{query_id}-unavailable", subject="inference-result")
        log.warning("inference.given_up", image_query_id=query_id, problem=why)

    def _may_be_forgotten(self, message: ServiceBusReceivedMessage) -> bool:
        enqueued_at = message.enqueued_time_utc
        return enqueued_at is not None and self.now() - enqueued_at >= self.remembered

    async def _answer(self, query: dict[str, Any]) -> Answer:
        query_id = query["image_query_id"]
        detector = await self._detector(query_id, query["detector_id"])
        data = await self._image(query_id, query["blob_url"], query.get("timeout"))
        question = understand(detector.query, self.model.detector.labels)
        try:
            detections = await asyncio.get_running_loop().run_in_executor(
                self.executor, copy_context().run, self._look, data
            )
        except NoImageError as error:
            log.info("image.unusable", image_query_id=query_id, problem=str(error), size=len(data))
            raise _NoAnswerError("no_image") from error
        return answer(question, detections, threshold=detector.confidence_threshold, cutoff=self.presence_cutoff)

    async def _detector(self, query_id: str, detector_id: str) -> Detector:
        facts = {"image_query_id": query_id, "detector_id": detector_id}
        if is_legacy_detector_id(detector_id):
            if self.cutover is not None and not accepts_legacy_ids(self.now(), self.cutover):
                log.warning("detector.not_found", **facts, problem="legacy id after the grace period")
                raise _NoAnswerError("detector_not_found")
            log.info("detector.legacy_id", **facts)
        try:
            return await self.detectors.resolve(detector_id)
        except DetectorNotFoundError as error:
            log.warning("detector.not_found", **facts, problem=str(error))
            raise _NoAnswerError("detector_not_found") from error

    async def _image(self, query_id: str, url: str, patience: float | None) -> bytes:
        try:
            return await self.downloader.fetch(url, patience)
        except DownloadRefusedError as error:
            log.warning(
                "image.download_failed",
                image_query_id=query_id,
                status=error.status,
                code=error.code,
                problem=str(error),
                url=without_query(url),
            )
            raise _NoAnswerError("download_failed") from error

    def _look(self, data: bytes) -> list[Detection]:
        """Decode and infer, in a worker thread: neither may hold up the event loop, which keeps the locks alive."""
        image = open_image(data, max_pixels=self.max_image_pixels, side=self.model.detector.side)
        with model_call(self.model.version):
            return self.model.detector.detect(image)


def _without_answer(reason: Reason) -> dict[str, Any]:
    return {"answer": "UNCLEAR", "confidence": 0.0, "reason": reason}
