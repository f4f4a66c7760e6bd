"""Signatures as clients make them, and what one may try with one that was meant for something else."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from typing import Any
from urllib.parse import quote_plus, urlsplit, urlunsplit


def listing(url: str) -> dict[str, str]:
    """Return the URL that would list the container, with the signature of one blob in it."""
    parts = urlsplit(url)
    container = "/".join(parts.path.split("/")[:3])
    return {"url": urlunsplit(parts._replace(path=container, query=f"restype=container&comp=list&{parts.query}"))}


def token(
    connection_string: str | dict[str, str], queue: str, rule: str = "", how: dict[str, Any] | None = None
) -> dict[str, str]:
    """Return a Service Bus SAS token for a queue.

    `how` bends it: another `key`, a lifetime `lives` (seconds), the queue that it is `signed_for`.
    """
    how = how or {}
    text = connection_string if isinstance(connection_string, str) else connection_string[rule]
    facts = dict(part.split("=", 1) for part in text.split(";") if "=" in part)
    uri = quote_plus(facts["Endpoint"].replace("sb://", "https://").rstrip("/") + "/" + how.get("signed_for", queue))
    expiry = int(time.time() + how.get("lives", 3600))
    key = str(how.get("key", facts["SharedAccessKey"]))
    digest = hmac.new(key.encode(), f"{uri}\n{expiry}".encode(), hashlib.sha256).digest()
    signature = quote_plus(base64.b64encode(digest))
    name = facts["SharedAccessKeyName"]
    return {"token": f"SharedAccessSignature sr={uri}&sig={signature}&se={expiry}&skn={name}"}
