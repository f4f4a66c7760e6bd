"""Where production names lead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Names:
    """Production names, as one environment has them."""

    ports: Mapping[str, int]
    """Of this machine, by name: where it leads, whatever port a client asks for."""
    authority: str
    """The certificate, in PEM, of whoever has signed those that are shown there."""
