"""Pictures that scenarios draw as they need them, and files that are none."""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Callable

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


def notched(x: int, width: int, depth: int) -> dict[str, str]:
    """Return a blade with one notch, in base64."""
    return {"base64": b64encode(blade(Notch(x, width, depth))).decode()}
