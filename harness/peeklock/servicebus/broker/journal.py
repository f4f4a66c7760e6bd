"""What a store has to hear, so that nothing is lost when the process ends without a word."""

from __future__ import annotations

from typing import Protocol

from .message import Message


class Journal(Protocol):
    """Follows one entity: told of every change, while it happens and many times a message. It notes what has changed, and looks at
    it when the turn ends. What a client was answered must be kept by then."""

    def added(self, message: Message) -> None:
        """A message is new."""

    def revised(self, message: Message) -> None:
        """The content of a message has changed."""

    def moved(self, message: Message) -> None:
        """The state, the lock or the delivery count of a message has changed."""

    def gone(self, message: Message) -> None:
        """A message has left."""

    def emptied(self) -> None:
        """All messages, session states and the duplicate history have gone."""

    def numbered(self) -> None:
        """A sequence number was used for a message that does not stay here."""

    def remembered(self, key: str, at: float) -> None:
        """A message-id has come into the duplicate history at an epoch second (S-57)."""

    def session_set(self, session_id: str, state: bytes | None, at: float) -> None:
        """The state of a session was set, or cleared by None, at an epoch second (S-62)."""

    def configured(self) -> None:
        """The entity is new, or has other settings, another status or other rules."""

    def removed(self) -> None:
        """The entity is no more."""
