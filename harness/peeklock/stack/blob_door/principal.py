"""Who asks with a token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Principal:
    """Whose token it is: object id and tenant, as the token spells them."""

    object_id: str
    tenant: str
    service: str = ""
    """Which has asked for the token, where that is known."""


class TokenVerifier(Protocol):
    """What the door asks about bearer tokens."""

    def principal(self, token: str) -> Principal:
        """Return whose token this is. Raises `Refused`."""
