"""Who may do what: shared access rules, SAS and Entra tokens, and the claims that tokens become.

Names are loaded when they are asked for: an emulator whose clients show no token pays for no hashes, one without Entra
tokens for no cryptography.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .access_rule import DEFAULT_KEY, DEFAULT_RULE, RIGHTS, AccessRule
    from .claims import Claim, Claims, TokenRefused, covers, path_of
    from .identity import ANYBODY, AUDIENCE, Identity, RoleAssignment, read_identity
    from .sas import make_token
    from .verifier import TokenVerifier

_HOMES = {
    "ANYBODY": "identity",
    "AUDIENCE": "identity",
    "AccessRule": "access_rule",
    "Claim": "claims",
    "Claims": "claims",
    "DEFAULT_KEY": "access_rule",
    "DEFAULT_RULE": "access_rule",
    "Identity": "identity",
    "RIGHTS": "access_rule",
    "RoleAssignment": "identity",
    "TokenRefused": "claims",
    "TokenVerifier": "verifier",
    "covers": "claims",
    "make_token": "sas",
    "path_of": "claims",
    "read_identity": "identity",
}

__all__ = [
    "ANYBODY",
    "AUDIENCE",
    "DEFAULT_KEY",
    "DEFAULT_RULE",
    "RIGHTS",
    "AccessRule",
    "Claim",
    "Claims",
    "Identity",
    "RoleAssignment",
    "TokenRefused",
    "TokenVerifier",
    "covers",
    "make_token",
    "path_of",
    "read_identity",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
