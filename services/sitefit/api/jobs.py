"""``/jobs``: run one, ask how it stands, fetch what came out of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, HTTPException, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, StringConstraints

from services.shared.blobs import Blobs
from services.shared.contracts import ContractViolationError
from services.shared.correlation import current_correlation_id, new_correlation_id
from services.shared.database import Row
from services.shared.logs import get_logger
from services.shared.publisher import Publisher, PublishError
from services.sitefit.api.inputs_hash import UnhashableInputsError, inputs_hash
from services.sitefit.api.job_store import JobRequest, JobStore
from services.sitefit.contracts import JOB_MESSAGE, ContractDirectory, ContractNotFoundError

log = get_logger()

AppId = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class RunRequest(BaseModel):
    """The body of ``POST /jobs/run``."""

    model_config = ConfigDict(extra="forbid")

    app_id: AppId
    definition: Name
    version: Name
    inputs: dict[str, Any]


@dataclass(frozen=True, slots=True)
class JobDesk:
    """Takes jobs in. A job is in the database before its message is in the queue; what got no message gets it with the
    next request for the same."""

    store: JobStore
    contracts: ContractDirectory
    publisher: Publisher
    blobs: Blobs
    cache_ttl: float
    artifact_url_lifetime: timedelta

    async def run(self, body: RunRequest) -> Row:
        """Return the job, queued. Raises ``HTTPException``."""
        self._check(body)
        try:
            digest = inputs_hash(body.inputs)
        except UnhashableInputsError as error:
            raise HTTPException(422, [{"field": "inputs", "problem": str(error)}]) from error
        request = JobRequest(body.app_id, body.definition, body.version, body.inputs, digest)
        job, is_new = await self.store.open(request, current_correlation_id() or new_correlation_id(), self.cache_ttl)
        log.info(
            "job.created" if is_new else "job.found", job_id=job["job_id"], inputs_hash=digest, status=job["status"]
        )
        if job["enqueued_at"] is None:
            message = JOB_MESSAGE.check({"kind": "sitefit-job", "job_id": job["job_id"]})
            try:
                await self.publisher.send(message, message_id=job["job_id"], subject="sitefit-job")
            except PublishError as error:
                log.warning("job.not_queued", job_id=job["job_id"], error=str(error))
                raise HTTPException(503, "the queue does not answer; try again", {"Retry-After": "1"}) from error
            await self.store.enqueued(job["job_id"])
            log.info("job.queued", job_id=job["job_id"])
        return job

    def _check(self, body: RunRequest) -> None:
        """Hold the inputs to their contract. One that is not here may be at the solver: its word counts."""
        try:
            self.contracts.get(body.definition, body.version).inputs.check(body.inputs)
        except ContractNotFoundError as error:
            log.warning("job.contract_unknown", problem=str(error))
        except ContractViolationError as error:
            problems = [{"field": f"inputs.{found.field}", "problem": found.problem} for found in error.violations]
            raise HTTPException(422, problems) from error


routes = APIRouter(prefix="/jobs", tags=["jobs"])


@routes.post("/run", status_code=202)
async def run(body: RunRequest, request: Request) -> dict[str, Any]:
    desk: JobDesk = request.app.state.desk
    job = await desk.run(body)
    return {name: job[name] for name in ("job_id", "status", "correlation_id")}


@routes.get("/status/{job_id}")
async def status(job_id: str, request: Request, x_app_id: Annotated[str | None, Header()] = None) -> Row:
    desk: JobDesk = request.app.state.desk
    job = await desk.store.find(_uuid(job_id), x_app_id)
    if job is None:
        raise _unknown(job_id)
    return job


@routes.get("/result/{job_id}")
async def result(job_id: str, request: Request, x_app_id: Annotated[str | None, Header()] = None) -> JSONResponse:
    """200 with the outputs, or with the error of a job that failed; 202 while there is neither."""
    desk: JobDesk = request.app.state.desk
    job = await desk.store.result(_uuid(job_id), x_app_id)
    if job is None:
        raise _unknown(job_id)
    body = {name: job[name] for name in ("job_id", "status", "correlation_id")}
    if job["status"] in ("queued", "running"):
        return JSONResponse(body, status_code=202, headers={"Retry-After": "1"})
    if job["status"] == "failed":
        return JSONResponse({**body, "error": job["error"]})
    artifacts = [
        {
            "kind": each["kind"],
            "url": desk.blobs.read_url(each["blob_name"], desk.artifact_url_lifetime),
            **{name: each[name] for name in ("content_type", "size", "sha256")},
        }
        for each in job["artifacts"]
    ]
    outputs = json.loads(job["outputs_json"])
    return JSONResponse({**body, "score": job["score"], "outputs": outputs, "artifacts": artifacts})


def _uuid(job_id: str) -> UUID:
    try:
        return UUID(job_id)
    except ValueError:
        raise _unknown(job_id) from None


def _unknown(job_id: str) -> HTTPException:
    return HTTPException(404, f"job not found: {job_id[:100]}")
