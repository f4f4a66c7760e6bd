"""One known way to break a system, and what must be said about it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutation:
    """One textual change to one file, the case that must catch it, and where and how that must be told."""

    id: str
    file: str
    old: str
    """Occurs exactly once in `file`."""
    new: str
    case: str
    step: str
    """The title of the step at which the case fails."""
    told: tuple[str, ...]
    """Texts of the failure, which name the cause."""
