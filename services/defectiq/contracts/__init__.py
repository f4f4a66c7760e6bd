"""What DefectIQ's parts have agreed on: the job on the queue, and the artifact that whoever is downstream reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from services.shared.contracts import Contract

_FOLDER = Path(__file__).parent

DEFECT_JOB = Contract(_FOLDER / "defect_job.json")
ARTIFACT = Contract(_FOLDER / "artifact.json")
FINDINGS: dict[str, Any] = ARTIFACT.schema["$defs"]["findings"]
"""The schema of what a model has to say about one picture."""

CONTENT_TYPES: dict[str, str] = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp"}
"""The kinds of picture that are taken, and how the names of their blobs end."""


def artifact_name(image_id: str) -> str:
    """Return the name of the blob that holds the artifact of ``image_id``: nothing else has to be known to read it."""
    return f"{image_id}.json"
