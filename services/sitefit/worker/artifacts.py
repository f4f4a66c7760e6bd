"""What a job leaves in blob storage, beside its row."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from azure.core.exceptions import AzureError

from services.shared.blobs import Blobs
from services.shared.outcomes import TransientFailure

if TYPE_CHECKING:
    from services.sitefit.worker.placement import Placement


@dataclass(frozen=True, slots=True)
class StoredArtifact:
    """One blob that was written. ``size`` is in bytes, ``sha256`` in hex."""

    kind: str
    blob_name: str
    content_type: str
    size: int
    sha256: str


async def store_artifacts(
    blobs: Blobs, job_id: str, inputs: dict[str, Any], outputs: dict[str, Any]
) -> list[StoredArtifact]:
    """Write the placement as GeoJSON and as glTF; a second attempt writes the same names again.

    Raises ``TransientFailure`` when the storage does not take them.
    """
    drawn = await asyncio.to_thread(_draw, inputs, outputs)
    stored = []
    for kind, suffix, content_type, data in drawn:
        name = f"{job_id}/placement.{suffix}"
        try:
            await blobs.upload(name, data, content_type)
        except AzureError as error:
            raise TransientFailure(f"the {kind} artifact was not stored ({type(error).__name__})") from error
        stored.append(StoredArtifact(kind, name, content_type, len(data), hashlib.sha256(data).hexdigest()))
    return stored


def _draw(inputs: dict[str, Any], outputs: dict[str, Any]) -> list[tuple[str, str, str, bytes]]:
    # here, off the event loop: the geometry libraries take most of a second to load, and no lock waits for them
    from services.sitefit.worker.geojson import geojson
    from services.sitefit.worker.gltf import gltf
    from services.sitefit.worker.placement import placement_of

    placement = placement_of(inputs, outputs)
    writers: list[tuple[str, str, str, Callable[[Placement], bytes]]] = [
        ("geojson", "geojson", "application/geo+json", geojson),
        ("gltf", "glb", "model/gltf-binary", gltf),
    ]
    return [(kind, suffix, content_type, write(placement)) for kind, suffix, content_type, write in writers]
