"""The images that a stack of this version of Peeklock runs."""

from __future__ import annotations

import hashlib

from peeklock.stack.containers.images.recipes import reference


def wanted_images() -> dict[str, str]:
    """The image of each kind of dependency. Raises `StackError`."""
    return {kind: reference(kind) for kind in ("postgres", "azurite", "servicebus")}


def definition() -> str:
    """A digest of what a stack is made of: a warm one of another is not used."""
    return hashlib.sha256("\n".join(sorted(wanted_images().values())).encode()).hexdigest()[:16]
