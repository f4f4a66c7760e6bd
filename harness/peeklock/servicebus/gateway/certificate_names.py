"""What a certificate authority may sign, and what a server of it is called."""

from __future__ import annotations

from typing import NamedTuple


class CertificateNames(NamedTuple):
    """The names of one authority and of the one server that it signs."""

    folder: str
    """Below the cache folder."""
    common: str
    permitted: tuple[str, ...]
    """The domains that the authority may sign; it may sign no others, whoever has its key."""
    networks: tuple[str, ...]
    """The networks whose addresses it may sign."""
    names: tuple[str, ...]
    """The names of the server, wildcards among them."""
    addresses: tuple[str, ...]


LOOPBACK = CertificateNames(
    "servicebus-tls",
    "Peeklock local CA (loopback only)",
    ("localhost",),
    ("127.0.0.1/32", "::1/128"),
    ("localhost",),
    ("127.0.0.1", "::1"),
)
"""What people may tell their clients to trust."""

_DOMAINS = (
    "servicebus.windows.net",
    "blob.core.windows.net",
    "openai.azure.com",
    "cognitiveservices.azure.com",
    "services.ai.azure.com",
)
_LOGIN = "login.microsoftonline.com"

AZURE = CertificateNames(
    "azure-names-tls",
    "Peeklock local CA (Azure's names, own services only)",
    (*_DOMAINS, _LOGIN),
    ("127.0.0.0/8",),
    (*(f"*.{domain}" for domain in _DOMAINS), _LOGIN),
    (),
)
"""Handed to services whose production names lead here, in the environment of their process; nobody else should trust it."""


def chosen_by(server_name: str | None) -> CertificateNames:
    """Return whose certificate a client expects that asks for this name."""
    asked = (server_name or "").lower()
    return AZURE if any(asked == each or asked.endswith(f".{each}") for each in AZURE.permitted) else LOOPBACK
