"""What one may try with a signature that was meant for something else."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit


def listing(url: str) -> dict[str, str]:
    """Return the URL that would list the container, with the signature of one blob in it."""
    parts = urlsplit(url)
    container = "/".join(parts.path.split("/")[:3])
    return {"url": urlunsplit(parts._replace(path=container, query=f"restype=container&comp=list&{parts.query}"))}
