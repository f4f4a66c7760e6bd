"""Where an item's pictures lie: the names of blobs, which begin with whose they are."""

from __future__ import annotations

from services.opal.messages import ItemKey


def upload_name(key: ItemKey, filename: str) -> str:
    """Return the name of the picture as the tenant uploads it."""
    return f"{_folder(key)}/{filename}"


def output_name(key: ItemKey) -> str:
    """Return the name of what the model made of it."""
    return f"{_folder(key)}.png"


def variant_name(key: ItemKey, variant: str, suffix: str) -> str:
    """Return the name of one variant of that."""
    return f"{_folder(key)}/{variant}.{suffix}"


def _folder(key: ItemKey) -> str:
    return f"{key.tenant_id}/{key.job_id}/{key.item_id}"
