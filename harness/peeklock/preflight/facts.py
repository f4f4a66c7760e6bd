"""What was found where the variables lead, before anything of it is judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Unreached:
    """Nobody could look."""

    why: str
    """In a few words, with no secret: `nothing listens there`."""
    refused: bool = False
    """Somebody answered, and let us not in."""


@dataclass(frozen=True, slots=True)
class Clock:
    """What a clock showed, both in seconds since 1970."""

    shown: float
    here: float
    """This machine's, in the middle between question and answer."""
    accuracy: float = 0.0
    """Seconds by which the two may differ and yet agree."""


Columns = Mapping[str, str]
"""Type of each column, with `NOT NULL` where it is."""


@dataclass(frozen=True, slots=True)
class FoundDatabase:
    """A database that answered."""

    identity: tuple[str, ...]
    """The same for whoever reaches the same database, however it is addressed."""
    name: str
    tables: Mapping[str, Columns] = field(default_factory=dict)
    """Tables and views by `schema.name`."""
    revisions: frozenset[str] = frozenset()
    """Of `alembic_version`; empty where there is no such table."""
    clock: Clock | None = None


@dataclass(frozen=True, slots=True)
class FoundEntity:
    """What one access rule may do at a queue, topic or subscription."""

    exists: bool
    send: bool = False
    listen: bool = False
    refused: str = ""
    """Why the rule was not let in at all."""
    rules: frozenset[str] | None = None
    """Of a subscription; None where they were not asked for, or not told."""


@dataclass(frozen=True, slots=True)
class FoundAccount:
    """A storage account that answered."""

    containers: Mapping[str, bool | None] = field(default_factory=dict)
    """Whether each container that was asked for is there; None: it does not tell."""
    clock: Clock | None = None
