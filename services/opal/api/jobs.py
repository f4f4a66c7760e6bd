"""``/v1/jobs``: open one, and see how its items stand."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, HTTPException, Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.opal.api.caller import Caller, require_own
from services.opal.api.item_store import ItemStore
from services.shared.logs import get_logger

log = get_logger()

# It becomes the last part of a blob's name.
Filename = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]


class NewItem(BaseModel):
    """One picture that will be uploaded."""

    model_config = ConfigDict(extra="forbid")

    filename: Filename


class NewJob(BaseModel):
    """The body of ``POST /v1/jobs``."""

    model_config = ConfigDict(extra="forbid")

    tenant_id: str
    brand_profile_id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    items: list[NewItem] = Field(min_length=1, max_length=100)


routes = APIRouter(prefix="/v1/jobs", tags=["jobs"])


@routes.post("", status_code=201)
async def open_job(body: NewJob, request: Request, caller: Caller) -> dict[str, Any]:
    """Open a job; each of its items waits for its upload."""
    require_own(caller, body.tenant_id)
    store: ItemStore = request.app.state.store
    job = await store.add(caller, body.brand_profile_id, [each.filename for each in body.items])
    log.info("job.created", tenant_id=caller, job_id=job["job_id"], items=len(body.items))
    return job


@routes.get("/{job_id}")
async def job(job_id: UUID, request: Request, caller: Caller) -> dict[str, Any]:
    """Answer with the caller's job; 404 for one that is not theirs, as for one that is not there."""
    store: ItemStore = request.app.state.store
    found = await store.job(caller, str(job_id))
    if found is None:
        raise HTTPException(404, f"job not found: {job_id}")
    return found
