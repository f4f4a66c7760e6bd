"""The two messages of IntelliOptics, as JSON Schema files read by the API, the worker and whoever tests them."""

from __future__ import annotations

from pathlib import Path

from services.shared.contracts import Contract

_FOLDER = Path(__file__).parent

IMAGE_QUERY = Contract(_FOLDER / "image_query.json")
INFERENCE_RESULT = Contract(_FOLDER / "inference_result.json")
