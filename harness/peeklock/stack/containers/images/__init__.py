"""Peeklock's images, made of what is installed on this machine: no registry, no network, nothing downloaded.

`recipes` says what goes into each and names it by that; `layer`, `libraries`, `interpreter` and `packages` collect it;
`build` hands it to a Docker engine. The Dockerfiles are in `compose/images/`.
"""

from __future__ import annotations

from peeklock.stack.containers.images.recipes import KINDS, Kind, reference
from peeklock.stack.containers.images.wanted import definition, wanted_images

__all__ = ["KINDS", "Kind", "definition", "reference", "wanted_images"]
