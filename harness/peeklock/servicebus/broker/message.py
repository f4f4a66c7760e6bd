"""A message as a queue holds it."""

from __future__ import annotations

from typing import Any, Protocol

from peeklock.servicebus import ledger

ORDER_BITS = 48
ORDER = (1 << ORDER_BITS) - 1
"""The part of a sequence number that tells the order of arrival; above it stands the partition (S-53)."""
ACTIVE, LOCKED, DEFERRED, SCHEDULED, GONE = "active", "locked", "deferred", "scheduled", "gone"
LOCKED_DEFERRED = "locked deferred"
"""A lost or given-up lock brings the message back to the deferred ones (S-48)."""


class Content(ledger.Content, Protocol):
    """What was sent, opaque to the broker but for what its rules need."""

    message_id: str
    ttl: float | None
    scheduled_at: float | None

    @property
    def session_id(self) -> str | None:
        """The session that the message belongs to."""

    @property
    def partition_key(self) -> str | None:
        """The partition that its sender asked for."""

    @property
    def via_partition_key(self) -> str | None:
        """The same for an entity through which it is sent to another one."""

    @property
    def partition_id(self) -> int | None:
        """The partition in which it stands; None for none."""

    def set_partition(self, partition: int | None) -> None:
        """Note in which partition it stands."""

    def flaw(self) -> tuple[str, str] | None:
        """Tell what of it is too long, by kind (`id`, `head`) and in words (S-38)."""

    def limit_ttl(self, seconds: float) -> None:
        """Take over a shorter time to live: that of the entity (S-35, S-50)."""

    def copy(self) -> Content:
        """Return a copy for another entity."""

    def annotate(self, name: str, value: Any) -> None:
        """Set one message annotation."""

    def updated(self, properties: dict[str, Any]) -> Content:
        """Return the same content with application properties added or replaced."""


class Message:
    """One message of one entity. Times in epoch seconds; `delivery_count` counts the failed deliveries (S-34)."""

    __slots__ = (
        "consumer",
        "content",
        "delivery_count",
        "enqueued_at",
        "expires_at",
        "hops",
        "locked_until",
        "origin",
        "sequence",
        "session_id",
        "state",
        "token",
    )

    def __init__(self, content: Any, sequence: int, enqueued_at: float, expires_at: float | None) -> None:
        self.content = content
        self.sequence = sequence
        self.enqueued_at = enqueued_at
        self.expires_at = expires_at
        self.state = ACTIVE
        self.delivery_count = 0
        self.token = b""
        """The lock token: 16 bytes, a .NET Guid in its little-endian form (S-39)."""
        self.locked_until = 0.0
        self.consumer: str | None = None
        self.origin: int | None = None
        """The sequence number that a dead-lettered, forwarded or published message had before."""
        self.hops = 0
        """How often it was forwarded (S-67)."""
        self.session_id: str | None = None
        """The session that it stands in; None where the entity has no sessions."""

    @property
    def deferred(self) -> bool:
        """True while it is locked, and was deferred before."""
        return self.state is LOCKED_DEFERRED

    def __lt__(self, other: Message) -> bool:
        return (self.sequence & ORDER) < (other.sequence & ORDER)
