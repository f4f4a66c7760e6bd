from __future__ import annotations

import io
import resource
import tracemalloc

import pytest
from PIL import Image

from fixtures.factories import BROKEN_IMAGES, PHOTOS, Factory, decompression_bomb
from services.shared.image import ImageFacts, NoImageError, image_facts, open_image

LIMIT = 25_000_000


def _open(data: bytes) -> Image.Image:
    return open_image(data, max_pixels=LIMIT, side=320)


@pytest.mark.parametrize("name", sorted(BROKEN_IMAGES))
def test_what_is_no_image_is_refused(name: str) -> None:
    with pytest.raises(NoImageError):
        _open(BROKEN_IMAGES[name]())


def test_a_decompression_bomb_is_refused_before_its_pixels_are_decoded() -> None:
    bomb = decompression_bomb()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    tracemalloc.start()
    try:
        with pytest.raises(NoImageError, match="more than 25000000 pixels"):
            _open(bomb)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 30_000


def test_an_image_that_pillow_would_decode_is_refused_above_our_own_limit() -> None:
    with pytest.raises(NoImageError, match="6000x6000 is more than 25000000 pixels"):
        _open(decompression_bomb(6000))


@pytest.mark.parametrize("length", range(0, 40_000, 1700))
def test_a_photo_cut_anywhere_is_refused_and_never_crashes(length: int) -> None:
    with pytest.raises(NoImageError):
        _open((PHOTOS / "person.jpg").read_bytes()[:length])


def test_a_format_that_nobody_sends_is_refused() -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "GIF")
    with pytest.raises(NoImageError, match="not a JPEG, PNG or WebP"):
        _open(buffer.getvalue())


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA", "CMYK"])
def test_every_colour_mode_becomes_rgb(mode: str) -> None:
    buffer = io.BytesIO()
    Image.new(mode, (64, 48)).save(buffer, "JPEG" if mode == "CMYK" else "PNG")
    image = _open(buffer.getvalue())
    assert (image.mode, image.size) == ("RGB", (64, 48))


def test_a_large_photo_comes_back_small_and_upright() -> None:
    source = Image.open(io.BytesIO(Factory(1).drawing(2000, 1000)))
    exif = source.getexif()
    exif[0x0112] = 6  # turned by a quarter, as a phone held upright writes it
    buffer = io.BytesIO()
    source.save(buffer, "JPEG", exif=exif)
    assert _open(buffer.getvalue()).size == (160, 320)


@pytest.mark.parametrize(
    ("kind", "content_type"), [("JPEG", "image/jpeg"), ("PNG", "image/png"), ("WEBP", "image/webp")]
)
def test_the_facts_tell_what_an_image_is_whatever_it_is_called(kind: str, content_type: str) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 48)).save(buffer, kind)
    assert image_facts(buffer.getvalue(), max_pixels=LIMIT) == ImageFacts(content_type, 64, 48)


@pytest.mark.parametrize("name", sorted(BROKEN_IMAGES))
def test_there_are_no_facts_about_what_is_no_image(name: str) -> None:
    with pytest.raises(NoImageError):
        image_facts(BROKEN_IMAGES[name](), max_pixels=LIMIT)
