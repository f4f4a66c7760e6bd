"""What clients upload that is no picture."""

from __future__ import annotations

from base64 import b64encode

from fixtures.factories import BROKEN_IMAGES


def make(kind: str) -> dict[str, str]:
    """Return the file `kind` of the fixtures' broken images, in base64."""
    return {"base64": b64encode(BROKEN_IMAGES[kind]()).decode()}
