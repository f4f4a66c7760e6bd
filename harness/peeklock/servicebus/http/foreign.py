"""Requests that a web page in this machine's browser could make without its user's knowledge.

A page whose name its owner points at 127.0.0.1 ("DNS rebinding") reaches what listens here, and so does a form that posts
across origins. `Host` and `Origin` give them away: neither can be set by a page.
"""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlsplit

from peeklock.servicebus.loopback import is_loopback

from .messages import HttpRequest

_NOT_FOR_SALE = (
    ".internal",
    ".servicebus.windows.net",
    ".servicebus.usgovcloudapi.net",
    ".servicebus.chinacloudapi.cn",
    ".openai.azure.com",
    ".cognitiveservices.azure.com",
    ".services.ai.azure.com",
    "login.microsoftonline.com",
)
"""The ends of names with a dot that no stranger can point at this machine: containers and clients call it so."""


def why_foreign(request: HttpRequest, called: Collection[str] = ()) -> str | None:
    """Return why a request is none of this machine's own programs; None for those that are, or that use a host of `called`."""
    host = request.headers.get("host", "")
    name = _name(host)
    ours = name in called or name.endswith(_NOT_FOR_SALE)
    if "." in name and not _is_number(name) and not is_loopback(name) and not ours:
        return f"The host '{name[:100]}' is not this machine: only its own programs are served. Use localhost."
    origin = request.headers.get("origin")
    if origin is None:
        return None
    try:
        page = urlsplit(origin).netloc.lower()
    except ValueError:
        page = ""
    if page and (page == host.lower() or is_loopback(_name(page))):
        return None
    return f"The web page '{origin[:100]}' is not of this machine: only its own programs are served."


def _name(host: str) -> str:
    """Return a host without its port, in lower case."""
    head, _, port = host.strip().lower().rpartition(":")
    return head if head and port.isdecimal() and (head.startswith("[") or ":" not in head) else host.strip().lower()


def _is_number(name: str) -> bool:
    return all(part.isdecimal() for part in name.split("."))
