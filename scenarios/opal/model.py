"""The model behind the Azure ML endpoint of the scenarios."""

from __future__ import annotations

import base64
import io
from typing import Any

import httpx
from PIL import Image, ImageOps


def score(request: dict[str, Any]) -> dict[str, Any]:
    """Answer with the picture that the request leads to, left for right: whoever looks at it later sees that the model had it."""
    data = httpx.get(request["body"]["input_image_sas"]).raise_for_status().content
    made = io.BytesIO()
    with Image.open(io.BytesIO(data)) as picture:
        ImageOps.mirror(picture).save(made, "PNG")
    picture_text = base64.b64encode(made.getvalue()).decode()
    return {"image_bytes_b64": picture_text, "meta": {"deployment": request["deployment"], "model": "mirror"}}
