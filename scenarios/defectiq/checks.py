"""What scenario files ask of Python."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import rfc8785
from azure.storage.blob import ContainerClient

from fixtures.blades import draw
from fixtures.blades.draw import STORED, Notch, edge_at

Box = dict[str, int]


def canonical(text: str) -> dict[str, bool]:
    """Return whether a JSON text is written as RFC 8785 has it: the one text for what it says."""
    return {"canonical": rfc8785.dumps(json.loads(text)) == text.encode()}


def overlaps(image: str, boxes: list[Box]) -> dict[str, float]:
    """Return what a notch of a stored blade and the box found for it share at least, of what they cover together."""
    drawn = [_box(notch) for notch in STORED[image]]
    return {"least": min((_shared(*pair) for pair in zip(drawn, boxes, strict=True)), default=1.0)}


def _box(notch: Notch) -> Box:
    right = notch.x + notch.width - 1
    top, bottom = edge_at(right) - notch.depth + 1, edge_at(notch.x)
    return {"x": notch.x, "y": top, "width": notch.width, "height": bottom - top + 1}


def _shared(one: Box, other: Box) -> float:
    wide = min(one["x"] + one["width"], other["x"] + other["width"]) - max(one["x"], other["x"])
    high = min(one["y"] + one["height"], other["y"] + other["height"]) - max(one["y"], other["y"])
    both = max(0, wide) * max(0, high)
    return both / (one["width"] * one["height"] + other["width"] * other["height"] - both)


def preflight(url: str, origin: str) -> dict[str, Any]:
    """Ask as a browser does before a page of ``origin`` may post with a key."""
    asked = {
        "origin": origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "x-api-key",
    }
    answer = httpx.options(url, headers=asked)
    return {
        "status": answer.status_code,
        "allowed": answer.headers.get("access-control-allow-origin"),
        "headers": answer.headers.get("access-control-allow-headers", "").lower(),
    }


def post(url: str, key: str, image: str, image_id: str) -> dict[str, int | None]:
    """Post a stored blade to an API that may not live to answer; return the status, or None when none came."""
    picture = (Path(draw.__file__).parent / image).read_bytes()
    metadata = '{"product_sku": "WK-KN-200", "facility": "yangjiang", "extra": {"line": 4}}'
    try:
        answer = httpx.post(
            f"{url}/api/v1/ingest",
            headers={"x-api-key": key},
            data={"metadata": metadata, "image_id": image_id},
            files={"image": (image, picture, "image/png")},
            timeout=20,
        )
    except httpx.TransportError:
        return {"status": None}
    return {"status": answer.status_code}


def names(connection_string: str, container: str) -> dict[str, Any]:
    """Return the names of a container's blobs, and all of them as one text."""
    with ContainerClient.from_connection_string(connection_string, container) as client:
        found = sorted(client.list_blob_names())
    return {"names": found, "text": "\n".join(found)}
