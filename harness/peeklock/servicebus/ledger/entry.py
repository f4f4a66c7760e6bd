"""One entry of the ledger: what happened, when, where and to whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from .kinds import EventKind


class Content(Protocol):
    """What a message consists of, as far as the ledger tells of it."""

    @property
    def size(self) -> int:
        """In encoded bytes."""

    @property
    def sender(self) -> str | None:
        """The name of the access rule that its sender signed with."""

    def facts(self) -> Mapping[str, Any]:
        """Return its properties and body as JSON has them."""


@dataclass(frozen=True, slots=True)
class Told:
    """A content as the wire tells of it."""

    told: Mapping[str, Any]
    sender: str | None = None
    size: int = 0

    def facts(self) -> Mapping[str, Any]:
        """Return its properties and body as JSON has them."""
        return self.told


@dataclass(frozen=True, slots=True)
class AboutMessage:
    """The subject is one message of the entity."""

    sequence: int
    """0 for a message that got no number: a dropped duplicate, or a send that a fault refused."""
    message_id: str
    delivery: int = 1
    """Which delivery of it this is, or would be, from 1."""
    consumer: str | None = None
    """The receiver that has it, or had it: `<access rule>@<container>/<link>`."""
    content: Content | None = None
    """Only in entries with which the message comes into being."""


@dataclass(frozen=True, slots=True)
class AboutSession:
    """The subject is one message session of the entity."""

    session_id: str
    consumer: str | None = None


@dataclass(frozen=True, slots=True)
class AboutEntity:
    """The subject is the entity itself, or what goes on around it."""


Subject = AboutMessage | AboutSession | AboutEntity


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry. Entries are numbered from 1 without gaps; `at` is in epoch seconds by the emulator's clock."""

    number: int
    at: float
    entity: str
    """The name as it was given; empty for what concerns the whole namespace."""
    event: EventKind
    subject: Subject = field(default_factory=AboutEntity)
    details: Mapping[str, Any] = field(default_factory=dict)
    """What else there is to tell of this kind of event, such as `reason` or `locked_until`."""

    @property
    def message(self) -> AboutMessage | None:
        """The message that the entry is about; None when it is about something else."""
        return self.subject if isinstance(self.subject, AboutMessage) else None

    @property
    def message_id(self) -> str | None:
        """The id of that message."""
        return None if self.message is None else self.message.message_id

    @property
    def reason(self) -> str | None:
        """Why it happened, where that is told."""
        return self.details.get("reason")

    @property
    def consumer(self) -> str | None:
        """The receiver that took part, if one did."""
        return None if isinstance(self.subject, AboutEntity) else self.subject.consumer
