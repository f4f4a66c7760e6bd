"""What can happen to messages, sessions and entities."""

from __future__ import annotations

from enum import StrEnum


class EventKind(StrEnum):
    """The kind of a ledger entry; its value is its name on the wire.

    Whoever folds entries matches every kind and ends with `assert_never`, so that the type checker finds the places where a new
    kind is missing.
    """

    # of a message
    ENQUEUED = "enqueued"
    SCHEDULED = "scheduled"
    ACTIVATED = "activated"
    """Its scheduled time has come: it has a new number (S-54)."""
    CANCELLED = "cancelled"
    DUPLICATE_DROPPED = "duplicate_dropped"
    DELIVERED = "delivered"
    RECEIVED_AND_DELETED = "received_and_deleted"
    RENEWED = "renewed"
    COMPLETED = "completed"
    ABANDONED = "abandoned"
    RELEASED = "released"
    """Given back unseen: it does not count as a delivery (S-42)."""
    LOCK_EXPIRED = "lock_expired"
    TAKEN_BACK = "taken_back"
    """A fault ended its lock, so that it is delivered once more."""
    DEFERRED = "deferred"
    DEAD_LETTERED = "dead_lettered"
    EXPIRED = "expired"
    DELETED = "deleted"
    """Removed by a batch delete (S-28)."""
    PUBLISHED = "published"
    """A topic gave it to its subscriptions, and keeps nothing of it."""
    FORWARDED = "forwarded"
    TRANSFERRED = "transferred"
    """It went through this entity into another one (S-75)."""
    TRANSFER_DEAD_LETTERED = "transfer_dead_lettered"

    # of a session
    SESSION_ACCEPTED = "session_accepted"
    SESSION_RENEWED = "session_renewed"
    SESSION_RELEASED = "session_released"
    SESSION_LOCK_LOST = "session_lock_lost"

    # of an entity
    PURGED = "purged"
    """All its messages are gone: a reset, or the end of the entity."""
    DELETED_ON_IDLE = "deleted_on_idle"
    TRANSACTION_COMMITTED = "transaction_committed"
    TRANSACTION_ROLLED_BACK = "transaction_rolled_back"
    TOKEN_RENEWED = "token_renewed"  # noqa: S105 -- the name of an event
    ACCESS_REFUSED = "access_refused"
    """A token was good, and does not give the right that was needed: `principal`, `right`."""
    FAULT = "fault"
    """A fault began, struck or ended; a strike may be about one message."""
