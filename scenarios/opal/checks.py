"""What scenario files ask of Python."""

from __future__ import annotations

import io
from typing import Any

from azure.storage.blob import ContainerClient
from PIL import Image


def look(connection_string: str, container: str, blob: str, places: dict[str, list[int]]) -> dict[str, Any]:
    """Return the size and kind of a stored picture, and what its pixels are at each of the named places.

    A pixel is ``clear``, or the nearest of the colours that the mug is drawn in.
    """
    with ContainerClient.from_connection_string(connection_string, container) as client:
        data = client.download_blob(blob).readall()
    with Image.open(io.BytesIO(data)) as picture:
        pixels = picture.convert("RGBA")
        seen = {name: _named(pixels.getpixel((x, y))) for name, (x, y) in places.items()}
        return {"kind": picture.format, "mode": picture.mode, "size": list(picture.size), "seen": seen}


_COLOURS = {"page": (240, 240, 240), "white": (255, 255, 255), "body": (200, 30, 40), "mark": (20, 60, 200)}


def _named(pixel: Any) -> str:
    if pixel[3] == 0:
        return "clear"
    return min(_COLOURS, key=lambda name: sum(abs(a - b) for a, b in zip(_COLOURS[name], pixel, strict=False)))
