"""Does one job: from the message on the queue to the committed result."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from azure.servicebus import ServiceBusReceivedMessage

from services.shared.blobs import Blobs
from services.shared.contracts import ContractViolationError
from services.shared.database import UNAVAILABLE, Row
from services.shared.logs import get_logger
from services.shared.message_body import body_of
from services.shared.outcomes import PermanentFailure, TransientFailure
from services.shared.telemetry import model_call
from services.sitefit.contracts import JOB_MESSAGE, ContractDirectory, ContractNotFoundError
from services.sitefit.worker.app_server import AppServer, JobImpossibleError
from services.sitefit.worker.artifacts import store_artifacts
from services.sitefit.worker.job_progress import JobProgress

log = get_logger()


@dataclass(frozen=True, slots=True)
class JobHandler:
    """Handles the messages of the job queue. Returns once the job has ended in the database, so that a message is completed
    after its effect; one that comes again finds the job ended and does nothing.

    What cannot be mended ends the job, and its message is completed. What may be mended is tried again; when that is given
    up, the job has failed, and its message goes to the dead letters with the reason.
    """

    progress: JobProgress
    app_server: AppServer
    contracts: ContractDirectory
    blobs: Blobs

    async def __call__(self, message: ServiceBusReceivedMessage) -> str | None:
        """Do the job that ``message`` names; return ``job_failed`` when it has ended so."""
        try:
            job_id = JOB_MESSAGE.parse(body_of(message))["job_id"]
        except ContractViolationError as error:
            raise PermanentFailure("ContractViolation", str(error)) from error
        try:
            return await self._do(job_id)
        except UNAVAILABLE as error:
            raise TransientFailure(f"the database does not answer ({type(error).__name__})") from error

    async def give_up(self, message: ServiceBusReceivedMessage, why: str) -> None:
        """End the job that ``message`` names without a result. Raises what the database raises."""
        try:
            job_id = JOB_MESSAGE.parse(body_of(message))["job_id"]
        except ContractViolationError:
            return  # it names none
        await self._fail(job_id, why)

    async def _do(self, job_id: str) -> str | None:
        job = await self.progress.claim(job_id)
        if job is None:
            raise PermanentFailure("JobNotFound", f"the database has no job {job_id}")
        if job["status"] != "running":
            log.info("job.ended_before", job_id=job_id, status=job["status"])
            return None
        log.info("job.claim", job_id=job_id, attempt=job["attempts"])
        try:
            await self._solve(job)
        except JobImpossibleError as error:
            await self._fail(job_id, str(error))
            return "job_failed"
        return None

    async def _solve(self, job: Row) -> None:
        job_id, definition, version = job["job_id"], job["definition"], job["version"]
        facts = {"job_id": job_id, "definition": definition, "version": version}
        log.info("job.before_appserver", **facts)
        started = time.monotonic()
        try:
            with model_call(f"{definition}:{version}"):
                text = await self.app_server.solve(definition, version, job["inputs"])
        finally:
            elapsed = round((time.monotonic() - started) * 1000)
            log.info("job.after_appserver", **facts, duration_ms=elapsed)
        outputs = self._checked(definition, version, text)
        score = outputs["results"][0]["score"]
        artifacts = await store_artifacts(self.blobs, job_id, job["inputs"], outputs)
        if await self.progress.succeed(job_id, text, score, artifacts):
            log.info("job.succeeded", job_id=job_id, score=score)
        else:
            log.info("job.ended_before", job_id=job_id)

    def _checked(self, definition: str, version: str, text: str) -> dict[str, Any]:
        """Hold what the AppServer said to the contract, as if it had not: what breaks it must never be stored."""
        try:
            return self.contracts.get(definition, version).outputs.check(json.loads(text))
        except (ContractViolationError, ContractNotFoundError) as error:
            raise JobImpossibleError(str(error)) from error
        except ValueError as error:
            raise JobImpossibleError("the AppServer answered with something that is not JSON") from error

    async def _fail(self, job_id: str, error: str) -> None:
        if await self.progress.fail(job_id, error):
            log.warning("job.failed", job_id=job_id, error=error)
