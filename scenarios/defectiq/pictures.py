"""Pictures that scenarios draw as they need them, and files that are none."""

from __future__ import annotations

import io
import json
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import httpx
from azure.storage.blob import ContainerClient
from PIL import Image

from fixtures.blades.draw import Notch, blade
from fixtures.factories import BROKEN_IMAGES, decompression_bomb


def _noise(width: int, height: int) -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise((width, height), 80).convert("RGB").save(buffer, "PNG")
    return buffer.getvalue()


_KINDS: dict[str, Callable[[], bytes]] = {
    **BROKEN_IMAGES,
    "small_bomb.png": lambda: decompression_bomb(6000),
    "cut_off.png": lambda: blade()[:900],
    "blade.png": blade,
    "blade.jpg": lambda: blade(kind="JPEG"),
    "large.png": lambda: _noise(120, 80),
    "huge.png": lambda: _noise(300, 200),
}


def make(kind: str) -> dict[str, str]:
    """Return a picture, or something that is none, in base64."""
    return {"base64": b64encode(_KINDS[kind]()).decode()}


def _many(count: int) -> list[tuple[str, Notch]]:
    """Return ids and notches of so many pictures: each fifth is the one before it again."""
    numbers = [number - 1 if number % 5 == 4 else number for number in range(count)]
    return [
        (str(UUID(int=number + 1)), Notch(80 + number % 220, 12 + number % 40, 6 + number % 20)) for number in numbers
    ]


def post_many(url: str, key: str, count: int) -> dict[str, int]:
    """Post so many pictures, ten at once; return how many were taken, and how many different ones there are."""
    pictures = _many(count)

    def post(picture: tuple[str, Notch]) -> int:
        answer = client.post(
            "/api/v1/ingest",
            data={"metadata": '{"product_sku": "WK-KN-200", "facility": "yangjiang"}', "image_id": picture[0]},
            files={"image": ("blade.png", blade(picture[1]), "image/png")},
        )
        return answer.status_code

    with httpx.Client(base_url=url, headers={"x-api-key": key}, timeout=60) as client, ThreadPoolExecutor(10) as pool:
        accepted = sum(status == 202 for status in pool.map(post, pictures))
    return {"accepted": accepted, "different": len(set(pictures))}


def compare_many(connection_string: str, count: int) -> dict[str, Any]:
    """Return how many artifacts there are, and the ids of those whose box is not where the notch was drawn."""
    wrong = []
    with ContainerClient.from_connection_string(connection_string, "processed-images") as container:
        there = set(container.list_blob_names())
        for image_id, notch in sorted(set(_many(count)), key=str):
            found = json.loads(container.download_blob(f"{image_id}.json").readall())["defect_findings"][
                "bounding_boxes"
            ]
            if len(found) != 1 or abs(found[0]["x"] - notch.x) > 2 or abs(found[0]["width"] - notch.width) > 4:
                wrong.append(image_id)
    return {"artifacts": len(there), "wrong": wrong}
