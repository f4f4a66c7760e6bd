"""Opens an image that nobody vouches for, in bounded memory."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from PIL import Image, ImageOps, UnidentifiedImageError

# Only what cameras and browsers send: each further decoder is more to attack.
_FORMATS = ("JPEG", "PNG", "WEBP")


class NoImageError(Exception):
    """The bytes are not an image that can be looked at; the message says why."""


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What an image says of itself: its MIME type, and its size in pixels as stored."""

    content_type: str
    width: int
    height: int


def image_facts(data: bytes, *, max_pixels: int) -> ImageFacts:
    """Return what ``data`` is, once all of it has been decoded. Raises :class:`NoImageError`."""
    with _opened(data, max_pixels) as opened:
        opened.load()
        return ImageFacts(Image.MIME[str(opened.format)], *opened.size)


def open_image(data: bytes, *, max_pixels: int, side: int) -> Image.Image:
    """Return the image in ``data`` as upright RGB, its longer side at most ``side`` pixels.

    A JPEG is decoded at the smallest scale that still yields ``side``. Raises :class:`NoImageError`.
    """
    with _opened(data, max_pixels) as opened:
        opened.draft("RGB", (side, side))
        opened.load()
        image = ImageOps.exif_transpose(opened).convert("RGB")
    image.thumbnail((side, side), Image.Resampling.BILINEAR)
    return image


@contextmanager
def _opened(data: bytes, max_pixels: int) -> Iterator[Image.Image]:
    """Yield the image with its header read: one of more than ``max_pixels`` is refused before a pixel is decoded.

    Whatever a decoder says within is raised as :class:`NoImageError`.
    """
    if not data:
        raise NoImageError("empty")
    if not data.strip(b"\0"):
        raise NoImageError("nothing but zero bytes")
    try:
        with warnings.catch_warnings():
            # Pillow merely warns up to twice its own limit; ours is checked below.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=_FORMATS) as opened:
                width, height = opened.size
                if width * height > max_pixels:
                    raise NoImageError(f"{width}x{height} is more than {max_pixels} pixels")
                yield opened
    except UnidentifiedImageError:
        raise NoImageError("not a JPEG, PNG or WebP image") from None
    except Image.DecompressionBombError:
        raise NoImageError(f"more than {max_pixels} pixels") from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        # The many ways in which Pillow's decoders say that the data ends early or makes no sense.
        raise NoImageError(f"broken: {type(error).__name__}") from None
