"""What is made of a finished picture: the background goes, the rest is enlarged, and each variant has a size of its own."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass

from PIL import Image, ImageChops, ImageDraw

from services.shared.image import open_image

_SIDE = 2048
_MASK_SIDE = 512
# How far, of 255, a channel may be from the corner's colour and still be background.
_TOLERANCE = 24
_WEB_SIDE = 1200
_THUMBNAIL_SIDE = 200
_OBJECT, _HOLE, _BACKGROUND = 255, 0, 128


@dataclass(frozen=True, slots=True)
class Variant:
    """One picture as it is delivered."""

    name: str
    suffix: str
    content_type: str
    width: int
    height: int
    data: bytes

    @property
    def sha256(self) -> str:
        """The digest of its bytes."""
        return hashlib.sha256(self.data).hexdigest()


def make_variants(data: bytes, *, max_pixels: int) -> list[Variant]:
    """Return every variant of the picture in ``data``; the same picture gives the same bytes. Raises ``NoImageError``.

    ``cutout``: without its background, as large as it was. ``upscaled``: that, twice as large. ``web``: on white, at most
    1200 pixels. ``thumbnail``: on white, a square of 200.
    """
    cutout = remove_background(open_image(data, max_pixels=max_pixels, side=_SIDE))
    upscaled = cutout.resize((cutout.width * 2, cutout.height * 2), Image.Resampling.LANCZOS)
    web = upscaled.copy()
    web.thumbnail((_WEB_SIDE, _WEB_SIDE), Image.Resampling.LANCZOS)
    small = upscaled.copy()
    small.thumbnail((_THUMBNAIL_SIDE, _THUMBNAIL_SIDE), Image.Resampling.LANCZOS)
    return [
        _variant("cutout", cutout, "PNG"),
        _variant("upscaled", upscaled, "PNG"),
        _variant("web", _on_white(web, web.size), "JPEG"),
        _variant("thumbnail", _on_white(small, (_THUMBNAIL_SIDE, _THUMBNAIL_SIDE)), "JPEG"),
    ]


def remove_background(image: Image.Image) -> Image.Image:
    """Return ``image`` with what has the colour of its top left corner, and reaches its edge, made transparent.

    A hole of that colour inside of the object stays.
    """
    image = image.convert("RGB")
    corner = Image.new("RGB", image.size, image.getpixel((0, 0)))
    red, green, blue = ImageChops.difference(image, corner).split()
    distance = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    # Filling is done pixel by pixel in Python: on a small mask it is a matter of tenths of a second.
    distance.thumbnail((_MASK_SIDE, _MASK_SIDE), Image.Resampling.BOX)
    mask = distance.point(lambda value: _HOLE if value <= _TOLERANCE else _OBJECT)
    right, bottom = mask.width - 1, mask.height - 1
    border = [(x, y) for x in range(mask.width) for y in (0, bottom)]
    border += [(x, y) for y in range(mask.height) for x in (0, right)]
    for place in border:
        if mask.getpixel(place) == _HOLE:
            ImageDraw.floodfill(mask, place, _BACKGROUND)
    alpha = mask.point(lambda value: 0 if value == _BACKGROUND else 255)
    cutout = image.convert("RGBA")
    cutout.putalpha(alpha.resize(image.size, Image.Resampling.BILINEAR))
    return cutout


def _on_white(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    page = Image.new("RGB", size, "white")
    page.paste(image, ((size[0] - image.width) // 2, (size[1] - image.height) // 2), image)
    return page


def _variant(name: str, image: Image.Image, kind: str) -> Variant:
    written = io.BytesIO()
    if kind == "JPEG":
        image.save(written, kind, quality=88)
    else:
        image.save(written, kind)
    suffix = {"JPEG": "jpg", "PNG": "png"}[kind]
    return Variant(name, suffix, Image.MIME[kind], image.width, image.height, written.getvalue())
