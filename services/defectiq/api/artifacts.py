"""``GET /api/v1/artifacts/{image_id}``: what was found on a picture, by its id alone."""

from __future__ import annotations

from uuid import UUID

from azure.core.exceptions import AzureError
from fastapi import APIRouter, HTTPException, Request, Response

from services.defectiq.contracts import artifact_name
from services.shared.blobs import Blobs

routes = APIRouter(prefix="/api/v1", tags=["artifacts"])


@routes.get("/artifacts/{image_id}")
async def artifact(image_id: UUID, request: Request) -> Response:
    """Answer with the artifact, byte for byte as it is stored; 404 while there is none."""
    processed: Blobs = request.app.state.processed
    try:
        data = await processed.read(artifact_name(str(image_id)))
    except (AzureError, OSError) as error:
        raise HTTPException(503, "the storage does not answer; try again", {"Retry-After": "1"}) from error
    if data is None:
        raise HTTPException(404, f"artifact not found: {image_id}")
    return Response(data, media_type="application/json")
