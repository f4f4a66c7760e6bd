"""Signatures with an account's key, as Azurite and the Storage SDKs make them."""

from __future__ import annotations

import base64
import hmac

from peeklock.stack.blob_door.refusals import bad_signature
from peeklock.stack.blob_door.request import BlobRequest

_SIGNED = ("content-encoding", "content-language", "content-length", "content-md5", "content-type", "date",
           "if-modified-since", "if-match", "if-none-match", "if-unmodified-since", "range")  # fmt: skip


def signature(key: str, text: str) -> str:
    """Sign a text with a key in base64."""
    return base64.b64encode(hmac.digest(base64.b64decode(key), text.encode(), "sha256")).decode()


def string_to_sign(request: BlobRequest) -> str:
    """Return what is signed of a request."""
    plain = [request.header(name) for name in _SIGNED]
    if plain[2] == "0":
        plain[2] = ""
    if request.header("x-ms-date"):
        plain[5] = ""
    # blanks inside a value stay: Azure's text says that they are folded, neither Azurite nor the SDKs do it
    special = sorted((name, value) for name, value in request.headers if name.startswith("x-ms-"))
    lines = [f"{name}:{value}" for name, value in special]
    lines.append(f"/{request.account}{request.url_path}")
    lines += [f"{name}:{value}" for name, value in sorted(request.query.items())]
    return "\n".join([request.method, *plain, *lines])


def authorization(request: BlobRequest, key: str) -> str:
    """Return the header that signs a request."""
    return f"SharedKey {request.account}:{signature(key, string_to_sign(request))}"


def check(request: BlobRequest, key: str) -> None:
    """Raises `Refused` unless a request is signed with the key."""
    if not hmac.compare_digest(request.header("authorization").encode(), authorization(request, key).encode()):
        raise bad_signature("The MAC signature found in the HTTP request is not the same as any computed signature.")
